import { expect, test } from 'vitest';
import type { JobWork } from '../../../src/plan/shared-work.ts';
import { sharedWork } from '../../../src/plan/shared-work.ts';
import { type KnownBuild, worthOf, worthText } from '../../../src/plan/shared-worth.ts';

const job = (name: string, ...unbuilt: string[]): JobWork => ({
  name,
  images: [name],
  system: 'x86_64-linux',
  unbuilt: new Set(unbuilt),
});

const jobs = (count: number, ...unbuilt: string[]): JobWork[] =>
  Array.from({ length: count }, (_, at) => job(`image-${at}`, ...unbuilt, `own-${at}`));

const many = (count: number): string[] => Array.from({ length: count }, (_, at) => `part-${at}`);

interface Case {
  readonly what: string;
  readonly work: readonly JobWork[];
  /** Seconds of each build that is known. What is an image's own is known to take 5 s. */
  readonly seconds?: Readonly<Record<string, number>>;
  readonly megabytes?: number;
  readonly maxParallel?: number;
  readonly pays: boolean;
  readonly saved: number;
  readonly delay: number;
}

test.each<Case>([
  { what: 'ten minutes, six images', work: jobs(6, 'lib'), seconds: { lib: 600 }, pays: true, saved: 2970, delay: 30 },
  { what: 'two minutes, two images', work: jobs(2, 'lib'), seconds: { lib: 120 }, pays: true, saved: 90, delay: 30 },
  { what: 'just enough', work: jobs(2, 'lib'), seconds: { lib: 90 }, pays: true, saved: 60, delay: 30 },
  { what: 'not enough', work: jobs(2, 'lib'), seconds: { lib: 89 }, pays: false, saved: 59, delay: 30 },
  { what: 'a second', work: jobs(2, 'lib'), seconds: { lib: 1 }, pays: false, saved: -29, delay: 30 },
  { what: 'an unknown build', work: jobs(2, 'lib'), pays: false, saved: -25, delay: 30 },
  { what: 'many unknown builds', work: jobs(2, ...many(20)), pays: true, saved: 70, delay: 30 },
  {
    what: 'what takes as long to fetch as to build: 1 s to store it, and one for each job',
    work: jobs(2, 'lib'),
    seconds: { lib: 120 },
    megabytes: 4000,
    pays: false,
    saved: -30,
    delay: 110,
  },
  {
    what: 'two pairs that share nothing with each other would be built one after the other',
    work: [job('a', 'x'), job('b', 'x'), job('c', 'y'), job('d', 'y')],
    seconds: { x: 600, y: 600 },
    pays: false,
    saved: 1170,
    delay: 630,
  },
  {
    what: 'jobs that wait for one machine',
    work: jobs(2, 'lib'),
    seconds: { lib: 60 },
    maxParallel: 1,
    pays: true,
    saved: 30,
    delay: 0,
  },
  {
    what: 'more jobs than GitHub runs at a time',
    work: jobs(60, 'lib'),
    seconds: { lib: 45 },
    pays: true,
    saved: 2625,
    delay: 0,
  },
])('whether a first job pays: $what', ({ work, seconds = {}, megabytes, maxParallel = 256, pays, saved, delay }) => {
  const [shared] = sharedWork(work);
  if (!shared) throw new Error('nothing is shared');
  const bytes = (megabytes ?? 0) * 1e6;
  const known = (drv: string): KnownBuild | undefined =>
    drv.startsWith('own-')
      ? { seconds: 5, bytes: 0 }
      : drv in seconds
        ? { seconds: seconds[drv] ?? 0, bytes }
        : undefined;
  const worth = worthOf(shared, work, { known, maxParallel });
  expect(worth).toEqual({ pays, saved: expect.closeTo(saved, 6), delay: expect.closeTo(delay, 6) });
});

test('jobs of another system count for nothing', () => {
  const own = jobs(2, 'lib');
  const [shared] = sharedWork(own);
  if (!shared) throw new Error('nothing is shared');
  const others = jobs(9, 'lib').map((one): JobWork => ({ ...one, system: 'aarch64-linux' }));
  const weighed = { known: () => ({ seconds: 100, bytes: 0 }), maxParallel: 256 };
  expect(worthOf(shared, [...own, ...others], weighed)).toEqual(worthOf(shared, own, weighed));
});

test('what becomes of it is said', () => {
  expect(worthText({ pays: true, saved: 2970, delay: 30 }, false)).toBe(
    "a job builds them first, which saves about 49 min 30 s of the machines' time",
  );
  expect(worthText({ pays: false, saved: 59, delay: 30 }, false)).toBe(
    'a job that builds them first would save about 59 s, and the run would end 30 s later',
  );
  expect(worthText({ pays: false, saved: -29, delay: 30 }, false)).toBe(
    'a job that builds them first would save nothing',
  );
  expect(worthText({ pays: false, saved: -29, delay: 30 }, true)).toContain('a job builds them first');
});
