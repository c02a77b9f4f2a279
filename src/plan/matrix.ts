import { isSystem, SYSTEMS, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import type { ImageKind } from '../nix/recognise.ts';
import { isNeeded, type Plan } from './plan.ts';

/** Bytes of a plan: it reaches `publish` as an environment variable, of which Linux takes 128 KiB (execve(2)). */
const MOST_BYTES = 128 * 1024 - 1024;

/** GitHub makes no more jobs of one matrix (docs.github.com, "Usage limits"). */
const MOST_JOBS = 256;

export type Runners = Readonly<Record<System, string>>;

/** GitHub's own runners, free for public repositories. */
const RUNNERS: Runners = { 'x86_64-linux': 'ubuntu-latest', 'aarch64-linux': 'ubuntu-24.04-arm' };

/** One build job, as `strategy.matrix.include` takes it. */
export interface MatrixJob {
  readonly name: string;
  /** What the image runs on. */
  readonly system: System;
  /** What builds it, and the runner with it. */
  readonly buildSystem: System;
  readonly runner: string;
  readonly kind: ImageKind;
  readonly attr: string;
  /** What `build` takes; empty where a file is evaluated, which takes `attr`. */
  readonly installable: string;
  readonly key: string;
}

/** Reads `SYSTEM=LABEL`. Throws UserError `input`. */
export function parseRunner(text: string): readonly [System, string] {
  const [, system = '', label = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (isSystem(system) && label.trim() !== '') return [system, label.trim()];
  throw new UserError('input', `${JSON.stringify(text)} is no runner of a system`, {
    hint: `Write SYSTEM=LABEL, for instance ${SYSTEMS[1]}=${RUNNERS[SYSTEMS[1]]}; systems are ${SYSTEMS.join(' and ')}.`,
  });
}

/** The build jobs that are needed. */
export function matrixOf(plan: Plan, runners: readonly (readonly [System, string])[]): readonly MatrixJob[] {
  const labels = { ...RUNNERS, ...Object.fromEntries(runners) };
  const { flake } = plan.source;
  return plan.images.flatMap(({ name, jobs }) =>
    jobs.filter(isNeeded).map(({ system, buildSystem: cross, kind, attr, key }): MatrixJob => {
      const installable = flake === null ? '' : `${flake}#${attr}`;
      const buildSystem = cross ?? system;
      return { name, system, buildSystem, runner: labels[buildSystem], kind, attr, installable, key };
    }),
  );
}

const commonLength = (a: string, b: string): number => {
  const end = [...a].findIndex((letter, at) => letter !== b[at]);
  return end < 0 ? a.length : end;
};

/** A glob that about half of the sorted names match: those that begin as the one in the middle does. */
function halfOf(names: readonly string[]): string {
  const common = commonLength(names[0] ?? '', names.at(-1) ?? '');
  return `${(names[Math.floor(names.length / 2)] ?? '').slice(0, common + 1)}*`;
}

/** Why a workflow cannot take a plan whole, and how to part it; undefined where it can. */
export function tooLarge(plan: Plan, jobs: readonly MatrixJob[]): UserError | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(plan));
  if (jobs.length <= MOST_JOBS && bytes <= MOST_BYTES) return undefined;
  const why =
    jobs.length > MOST_JOBS
      ? `${jobs.length} build jobs are needed, and a workflow's matrix takes ${MOST_JOBS}`
      : `the plan has ${bytes} bytes, and an input of a step takes ${MOST_BYTES}`;
  const half = halfOf(plan.images.map(({ name }) => name));
  return new UserError('input', why, {
    hint:
      'Plan the images in parts, each with builds and a publish of its own: ' +
      `images: '${half}' in one, and '!${half}' in the other.`,
  });
}
