import { existsSync } from 'node:fs';
import { findBuiltPaths, LARGEST_PATH } from '../cache/find-built.ts';
import { finishCache } from '../cache/finish.ts';
import { gatherIndex } from '../cache/gather.ts';
import { jobPrefix } from '../cache/keys.ts';
import type { NewPath } from '../cache/new-path.ts';
import { saveCache } from '../cache/save.ts';
import { countText } from '../core/count.ts';
import { sizeText } from '../core/size.ts';
import { defineCommand } from '../host/command.ts';
import { flag, lines } from '../host/fields.ts';
import { dumpNar } from '../nix/dump-nar.ts';
import { openNix } from '../nix/nix.ts';
import { cacheInputs, openHouse } from './cache-house.ts';

/** Milliseconds that a build log may be old: GitHub's own runners end a job after six hours. */
const LONGEST_JOB = 6 * 60 * 60 * 1000;

/** Bytes a second that a build of unknown duration is taken to have made: a compiler's rate, not a copy's. */
const UNKNOWN_RATE = 2_000_000;

/** What the command came to. */
interface Saved {
  readonly paths: number;
  readonly bytes: number;
  readonly packs: number;
  readonly lost: number;
  readonly refused: number;
  readonly cache: string;
}

function savedText({ paths, bytes, packs, lost, refused, cache }: Saved): string {
  if (paths + lost + refused === 0) return `nothing new for ${cache}`;
  const rest = [
    lost > 0 ? `${lost} could not be stored` : [],
    refused > 0 ? `${refused} are not worth their room` : [],
  ].flat();
  const more = rest.length === 0 ? '' : `; ${rest.join(', ')}`;
  return `stored ${countText(paths, 'path')} (${sizeText(bytes)}) in ${countText(packs, 'pack')} of ${cache}${more}`;
}

export const cacheSave = defineCommand({
  name: 'cache-save',
  summary: 'Save what Nix has built here to a cache of store paths.',
  description:
    'Only what was built on this machine and no substituter has; no images, and nothing that takes longer to fetch than to build. What fits is decided ' +
    'before anything is sent, by the build time that a path saves for its size. What cannot be stored is a line in the log, never a failure.\n\n' +
    'Other jobs see it once `cache-merge` has run, as the last job of a run does.',
  inputs: {
    ...cacheInputs,
    exclude: lines({
      description:
        'Store path of an image or a disk, which is not stored, nor what only it needs. Give it once for each.',
      placeholder: 'PATH',
    }),
    merge: flag({ description: 'Merge at once: this is the only job of its run that saves.' }),
  },
  outputs: { paths: 'How many paths were stored.' },
  async run(inputs, host): Promise<Saved> {
    const { world, rules, attempt } = await openHouse(host, inputs);
    const { exec, log, signal, fetch } = host;
    const { index } = await gatherIndex(world, await world.store.list(), { ...rules, run: attempt.run });
    const nix = await openNix({ exec, log, signal });
    const { chosen } = await findBuiltPaths(nix, {
      images: new Set(inputs.exclude),
      cached: new Set(index.paths.map(({ path }) => path)),
      largest: LARGEST_PATH,
      since: world.clock.now() - LONGEST_JOB,
      ownCaches: [],
      fetch,
      signal,
    });
    const referred = new Set(chosen.flatMap(({ path, references }) => references.filter((one) => one !== path)));
    const built = chosen.map(
      ({ path, narHash, narSize, references, deriver, seconds }): NewPath => ({
        path,
        narHash,
        narSize,
        references,
        ...(deriver === undefined ? {} : { deriver }),
        seconds: seconds ?? narSize / UNKNOWN_RATE,
        system: attempt.system,
        image: attempt.job,
        isLeaf: !referred.has(path),
      }),
    );
    // What the job took from the cache lies in its store as well, and is needed as much; what no longer does is of older versions.
    const here = index.paths.filter(({ path, system }) => system === attempt.system && existsSync(path));
    const needed = [...built, ...here].map(({ path }) => path);
    const report = await saveCache(world, {
      attempt,
      rules,
      index,
      built,
      needed: [{ system: attempt.system, image: attempt.job, paths: [...new Set(needed)] }],
      readNar: (path, use) => dumpNar(nix, path, use),
    });
    if (inputs.merge) await finishCache(world, { attempt, rules, prefixes: [jobPrefix(attempt)] });
    const { stored, bytes, packs, lost, plan } = report;
    return { paths: stored.length, bytes, packs, lost, refused: plan.refused.length, cache: world.store.name };
  },
  present: (saved) => ({
    outputs: { paths: String(saved.paths) },
    data: { schemaVersion: 1, ...saved },
    text: savedText(saved),
  }),
});
