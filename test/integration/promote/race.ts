import { expect } from 'vitest';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { historyOf } from '../../../src/promote/history.ts';
import { promoteImage } from '../../../src/promote/promote-image.ts';
import { wholeImage } from '../../../src/promote/whole-image.ts';
import { copyImage } from '../../../src/publish/copy-image.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { chancesOf } from '../../support/chances.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { manifestOf, putImage, testDeps } from '../storage/kit.ts';
import { madeBy, SOURCE } from './kit.ts';

/** How long a request takes at most on its way there, or back; what lies between a look and a write takes less than the pause then. */
const LATENCY = 120;

const signal = new AbortController().signal;

/** Puts the image of each run, which share their platforms. */
const putReleases = async (
  repository: Repository,
  runs: readonly number[],
): Promise<ReadonlyMap<number, StoredManifest>> => {
  const { manifest } = await putImage(repository, 'amd64');
  const { digest, mediaType, bytes } = manifest;
  const manifests = [{ digest, mediaType, size: bytes.length, platform: { architecture: 'amd64', os: 'linux' } }];
  const images = new Map<number, StoredManifest>();
  for (const run of runs) {
    const index = manifestOf({ manifests, annotations: madeBy(run) }, MEDIA_TYPE.index);
    await repository.putManifest(index);
    images.set(run, index);
  }
  return images;
};

/** Registries that channels are raced on, and how many interleavings of 200 each gets: pages of the referrers API, milliseconds that reads are late. */
export const REGISTRIES = [
  ['with the referrers API', 9, 0, 120],
  ['without it', undefined, 0, 40],
  ['whose tags are read 5 s late', 9, 5000, 40],
] as const;

/** Lets promotions and publishes of several runs loose on one channel; gives the runs, and what the channel means at the end. */
const race = async (seed: number, referrersPerPage: number | undefined, milliseconds: number) => {
  const random = chancesOf(seed);
  const clock = new IdleClock(random);
  const emulator = await startEmulator({
    ...(referrersPerPage === undefined ? {} : { referrersPerPage }),
    ...(milliseconds > 0 ? { staleReads: { milliseconds, now: () => clock.now() } } : {}),
  });
  try {
    const tracked: typeof fetch = (...args) => clock.track(fetch(...args));
    const plain = testDeps({ clock, fetch: tracked });
    const way = () => clock.sleep(Math.floor(random() * LATENCY));
    const slow = testDeps({
      clock,
      fetch: async (...args) => {
        await way();
        const answer = await tracked(...args);
        await way();
        return answer;
      },
    });
    const openWith = (deps: typeof plain, name: string) =>
      openRegistry(parseReference(`${emulator.host}/${name}`), 'write', deps);
    const actors = 2 + Math.floor(random() * 3);
    const runs = Array.from({ length: actors }, (_, at) => 2 + at).sort(() => random() - 0.5);
    const home = openWith(plain, 'org/app');
    const built = openWith(plain, 'org/built');
    const images = await putReleases(home, [1, ...runs]);
    await putReleases(built, runs);
    await home.tag('stable', images.get(1) as StoredManifest);
    await clock.sleep(10_000);
    const log = plain.log;
    const tools = { log, clock, signal };
    await Promise.all(
      runs.map(async (id, at) => {
        const image = images.get(id) as StoredManifest;
        const run = { id: String(id), source: SOURCE };
        const target = { kind: 'registry', repository: openWith(slow, 'org/app'), tags: ['stable'] } as const;
        await clock.sleep(Math.floor(random() * 2500));
        // The first always promotes; of the others some publish.
        if (at === 0 || random() < 0.6) {
          const how = { order: 'forward', mayCreate: false, isRecorded: true, kind: 'promote', from: 'edge' } as const;
          await promoteImage(image, [target], { ...how, run, by: undefined, ...tools });
        } else {
          await copyImage(image, openWith(slow, 'org/built'), [target], {
            referrers: false,
            verify: false,
            run,
            ...tools,
          });
        }
      }),
    );
    await clock.sleep(10_000);
    const meant = await home.getManifest('stable');
    // Whatever became of the tag, what it means is whole, and has its history.
    await wholeImage(home, meant as StoredManifest);
    const { entries } = await historyOf({ source: home, tag: 'stable' }, 20, log);
    const run = [...images].find(([, { digest }]) => digest === meant?.digest)?.[0];
    return { run, newest: Math.max(...runs), entries, lines: log.lines };
  } finally {
    await emulator.stop();
  }
};

/** Races with the seeds from `first` on, so many; each must leave the newest run's image, whole, with its history. */
export const expectForward = async (
  first: number,
  rounds: number,
  referrersPerPage: number | undefined,
  milliseconds: number,
): Promise<void> => {
  const wrong: number[] = [];
  for (let seed = first; seed < first + rounds; seed += 1) {
    const { run, newest, entries } = await race(seed, referrersPerPage, milliseconds);
    if (run !== newest || entries.length === 0) wrong.push(seed);
  }
  expect(wrong).toEqual([]);
};
