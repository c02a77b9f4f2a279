import { findBuiltPaths, LARGEST_PATH } from '../cache/find-built.ts';
import { finishCache } from '../cache/finish.ts';
import { gatherIndex } from '../cache/gather.ts';
import { type JobAttempt, jobPrefix } from '../cache/keys.ts';
import type { NewPath } from '../cache/new-path.ts';
import { saveCache } from '../cache/save.ts';
import { countText } from '../core/count.ts';
import { sizeText } from '../core/size.ts';
import type { Host } from '../host/host.ts';
import { dumpNar } from '../nix/dump-nar.ts';
import { openNix } from '../nix/nix.ts';
import { readBuildStarts } from './build-starts.ts';
import { type CacheInputs, openHouse } from './cache-house.ts';

/** Milliseconds that a build log may be old: GitHub's own runners end a job after six hours. */
const LONGEST_JOB = 6 * 60 * 60 * 1000;

/** Bytes a second that a build of unknown duration is taken to have made: a compiler's rate, not a copy's. */
const UNKNOWN_RATE = 2_000_000;

/** What is to be saved. */
interface Saving {
  /** Store paths of images and disks. */
  readonly exclude: readonly string[];
  /** Whether to merge at once, as the only job of the run that saves. */
  readonly merge: boolean;
  /** Images that need what was built. Default: the one that the job is called by. */
  readonly images?: readonly string[];
  /** A job of the run that has saved before this one. */
  readonly after?: string | undefined;
  /** Paths that are not in Nix's store but were asked for: layers are made from them all the same. */
  readonly wanted?: readonly string[];
  /** Leaves alone what was in the store before, in milliseconds since 1970, and what no newer path needs. */
  readonly cameAfter?: number | undefined;
}

/** What saving came to. */
export interface Saved {
  readonly paths: number;
  readonly bytes: number;
  readonly packs: number;
  readonly lost: number;
  readonly refused: number;
  readonly cache: string;
}

export function savedText({ paths, bytes, packs, lost, refused, cache }: Saved): string {
  if (paths + lost + refused === 0) return `nothing new for ${cache}`;
  const rest = [
    lost > 0 ? `${lost} could not be stored` : [],
    refused > 0 ? `${refused} are not worth their room` : [],
  ].flat();
  const more = rest.length === 0 ? '' : `; ${rest.join(', ')}`;
  return `stored ${countText(paths, 'path')} (${sizeText(bytes)}) in ${countText(packs, 'pack')} of ${cache}${more}`;
}

/** What the keys of the index of a job begin with that has saved before this one. */
export const prefixesAfter = (
  after: string | undefined,
  { run, system }: Pick<JobAttempt, 'run' | 'system'>,
): string[] => (after === undefined ? [] : [jobPrefix({ run, system, job: after })]);

/** Saves what Nix has built here and the cache does not have. Throws UserError `input`, `evaluation` where Nix fails, `cancelled`. */
export async function saveBuilt(host: Host, inputs: CacheInputs, saving: Saving): Promise<Saved> {
  const { world, rules, attempt } = await openHouse(host, inputs);
  const { exec, log, signal, fetch } = host;
  const gathering = { ...rules, run: attempt.run, prefixes: prefixesAfter(saving.after, attempt) };
  const { index } = await gatherIndex(world, await world.store.list(), gathering);
  const nix = await openNix({ exec, log, signal });
  const { chosen, present } = await findBuiltPaths(nix, {
    images: new Set(saving.exclude),
    cached: new Set(index.paths.map(({ path }) => path)),
    largest: LARGEST_PATH,
    since: world.clock.now() - LONGEST_JOB,
    starts: await readBuildStarts(host),
    cameAfter: saving.cameAfter,
    ownCaches: [],
    fetch,
    signal,
  });
  const referred = new Set(chosen.flatMap(({ path, references }) => references.filter((one) => one !== path)));
  const images = saving.images?.length ? saving.images : [attempt.job];
  const [image, ...others] = images;
  const built = chosen.map(
    ({ path, narHash, narSize, references, deriver, seconds }): NewPath => ({
      path,
      narHash,
      narSize,
      references,
      ...(deriver === undefined ? {} : { deriver }),
      seconds: seconds ?? narSize / UNKNOWN_RATE,
      system: attempt.system,
      ...(others.length > 0 ? {} : { image }),
      isLeaf: !referred.has(path),
    }),
  );
  // What came from the cache is needed as much: it lies in the store, or was asked for. The rest is of older versions.
  const wanted = new Set(saving.wanted);
  const known = index.paths.filter(
    ({ path, system }) => wanted.has(path) || (system === attempt.system && present.has(path)),
  );
  const needed = [...built, ...known].map(({ path }) => path);
  const report = await saveCache(world, {
    attempt,
    rules,
    index,
    built,
    // What one of several images needs is told by its own job.
    needed:
      image === undefined || others.length > 0 ? [] : [{ system: attempt.system, image, paths: [...new Set(needed)] }],
    readNar: (path, use) => dumpNar(nix, path, use),
  });
  if (saving.merge) await finishCache(world, { attempt, rules, prefixes: [jobPrefix(attempt)] });
  const { stored, bytes, packs, lost, plan } = report;
  return { paths: stored.length, bytes, packs, lost, refused: plan.refused.length, cache: world.store.name };
}
