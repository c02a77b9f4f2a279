import { sum } from '../core/sum.ts';
import { durationText } from '../core/time.ts';
import type { JobWork, SharedWork } from './shared-work.ts';

/** @internal What is known of a derivation from the last time that it was built. */
export interface KnownBuild {
  readonly seconds: number;
  /** Of its outputs, packed. */
  readonly bytes: number;
}

interface Weighed {
  /** What is known of a derivation, or of another version of it. */
  known(drvPath: string): KnownBuild | undefined;
  /** Build jobs that run at a time. */
  readonly maxParallel: number;
}

/** What a first job, which builds what others share, is worth; all in seconds. */
interface SharedWorth {
  readonly pays: boolean;
  /** That machines work less, all together. */
  readonly saved: number;
  /** That the run ends later: the first job has to start, and machines side by side would have built the same at the same time. */
  readonly delay: number;
}

/** Seconds from one job's end to the first build of another: GitHub's queue, a checkout, Nix, an evaluation. */
const JOB_START = 30;

/**
 * Seconds of a build that nobody has measured yet. The phases of nixpkgs' stdenv alone take a few, so that many unknown derivations
 * are worth a job, as in the first run of all, and a handful of scripts is not. What is never fetched, as trivial builders say of what
 * they make, is not counted at all.
 */
const UNKNOWN_SECONDS = 5;

/** Bytes a second to and from the cache. */
const CACHE_RATE = 100_000_000;

/** Jobs that GitHub runs at a time on its free plan (docs.github.com, "Actions limits"), however many a workflow would take. */
export const MOST_AT_ONCE = 20;

/** Seconds of machines that each second must save by which the run ends later. */
const WORTH_A_SECOND = 2;

/** How long jobs of these lengths take, so many at a time: a lower bound, the same before and after. */
const span = (jobs: readonly number[], atOnce: number): number => Math.max(...jobs, sum(jobs) / atOnce);

/**
 * Weighs a first job that builds `shared` against the build jobs of its system, which would build it each for itself. Builds count one
 * after another. On machines enough, such a job never ends a run sooner: it is worth what it spares the machines, if the run does not wait too long
 * for it. Where jobs wait for machines, it may do both.
 */
export function worthOf(shared: SharedWork, jobs: readonly JobWork[], { known, maxParallel }: Weighed): SharedWorth {
  const atOnce = Math.max(1, Math.min(maxParallel, MOST_AT_ONCE));
  const isShared = new Set(shared.derivations);
  const secondsOf = (drvPath: string): number => known(drvPath)?.seconds ?? UNKNOWN_SECONDS;
  const moving = (drvPaths: readonly string[]): number =>
    sum(drvPaths.map((drvPath) => known(drvPath)?.bytes ?? 0)) / CACHE_RATE;
  const own = jobs.filter(({ system }) => system === shared.system).map(({ unbuilt }) => [...unbuilt]);
  const alone = own.map((drvPaths) => sum(drvPaths.map(secondsOf)));
  const after = own.map((drvPaths) => {
    const rest = drvPaths.filter((drvPath) => !isShared.has(drvPath));
    return sum(rest.map(secondsOf)) + moving(drvPaths.filter((drvPath) => isShared.has(drvPath)));
  });
  const first = JOB_START + sum(shared.derivations.map(secondsOf)) + moving(shared.derivations);
  const saved = sum(alone) - sum(after) - first;
  const delay = Math.max(0, first + span(after, atOnce) - span(alone, atOnce));
  return { pays: saved > 0 && saved >= delay * WORTH_A_SECOND, saved, delay };
}

const text = (seconds: number): string => durationText(Math.max(0, seconds) * 1000);

/** What becomes of it, as the end of a line. */
export function worthText({ pays, saved, delay }: SharedWorth, isForced: boolean): string {
  if (pays || isForced) return `a job builds them first, which saves about ${text(saved)} of the machines' time`;
  return saved <= 0
    ? 'a job that builds them first would save nothing'
    : `a job that builds them first would save about ${text(saved)}, and the run would end ${text(delay)} later`;
}
