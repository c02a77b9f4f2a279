import { createZstdDecompress } from 'node:zlib';
import { restoreIndex } from '../../src/cache/index-store.ts';
import { jobPrefix } from '../../src/cache/keys.ts';
import { saveCache } from '../../src/cache/save.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Log } from '../../src/core/log.ts';
import { type ClosureOnDisk, readPacked } from './closure.ts';
import { DistantStore } from './distant-store.ts';
import { Link } from './link.ts';

const SYSTEM = 'x86_64-linux';

/** The job that saves. */
const JOB = { system: SYSTEM, job: 'bench' } as const;

/** Where the index is that the first run leaves, which no last job of a run has merged here. */
export const FIRST_PART = jobPrefix({ run: '1', ...JOB });

/** What saving took. */
export interface Saved {
  readonly seconds: number;
  readonly uploads: number;
  readonly bytes: number;
}

/** Saves what the project built of a closure, as the run `run` would. */
export async function saveClosure(
  closure: ClosureOnDisk,
  {
    cache,
    folder,
    run,
    log,
  }: { readonly cache: string; readonly folder: string; readonly run: string; readonly log: Log },
): Promise<Saved> {
  const store = new DistantStore(cache, new Link(), { log, clock: systemClock });
  const begin = performance.now();
  const world = { store, folder, log, clock: systemClock };
  const { index } = await restoreIndex(world, { prefixes: [FIRST_PART] });
  const ours = closure.paths.filter(({ isOurs }) => isOurs);
  const byPath = new Map(closure.paths.map((path) => [path.path, path]));
  const { bytes } = await saveCache(world, {
    attempt: { run, attempt: 1, ...JOB },
    rules: { ref: 'refs/heads/main', governs: true, deadRefs: new Set<string>() },
    index,
    built: ours.map((path) => ({ ...path, seconds: 60, system: SYSTEM, isLeaf: false })),
    needed: [{ system: SYSTEM, image: 'bench', paths: ours.map(({ path }) => path) }],
    readNar: async (path, use) => {
      const found = byPath.get(path);
      if (found !== undefined) await use(readPacked(closure, found).pipe(createZstdDecompress()));
    },
  });
  return { seconds: (performance.now() - begin) / 1000, uploads: store.uploads, bytes };
}
