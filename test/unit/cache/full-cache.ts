import { EMPTY_INDEX } from '../../../src/cache/cache-index.ts';
import { finishCache } from '../../../src/cache/finish.ts';
import { saveCache } from '../../../src/cache/save.ts';
import type { CacheStore } from '../../../src/cache/store.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { Builds } from './house-fixture.ts';

/** Has three jobs of a run store what they built, 500 kB in four paths, and the last one merge it. `folder` is for what is under way. */
export async function fillCache(store: CacheStore, folder: string): Promise<void> {
  const builds = new Builds();
  const house = { log: memoryLog(), clock: systemClock, store, folder };
  const rules = { ref: undefined, governs: true, deadRefs: new Set<string>() };
  const jobs = [
    { image: 'app', system: 'x86_64-linux', names: ['lib', 'app'], seconds: 90 },
    { image: 'app', system: 'aarch64-linux', names: ['lib-arm'], seconds: 30 },
    { image: undefined, system: 'x86_64-linux', names: ['shared'], seconds: 600 },
  ];
  for (const [place, { image, system, names, seconds }] of jobs.entries()) {
    const built = names.map((name, size) =>
      builds.build(name, 100_000 * (size + 1), { seconds, system, ...(image === undefined ? {} : { image }) }),
    );
    const paths = built.map(({ path }) => path);
    await saveCache(house, {
      ...{ attempt: { run: '1', attempt: 1, system, job: `job-${place}` }, rules, index: EMPTY_INDEX, built },
      ...{ needed: [{ system, image: image ?? 'tool', paths }], readNar: builds.readNar },
    });
  }
  await finishCache(house, { attempt: { run: '1', attempt: 1, system: '', job: '' }, rules });
}
