import { describe, expect, test } from 'vitest';
import { type BudgetInput, planBudget, type StoreCandidate } from '../../../src/cache/budget.ts';
import type { CacheIndex } from '../../../src/cache/cache-index.ts';
import type { CacheEntry } from '../../../src/cache/store.ts';
import { numbersFrom } from './mutations.ts';
import { sampleIndex, samplePackKey, storePath } from './sample.ts';

const MAIN = 'refs/heads/main';
const HOUR = 3_600_000;
const NOW = 1000 * HOUR;

const entry = (key: string, rest: Partial<CacheEntry> = {}): CacheEntry => ({
  id: `${key} ${rest.ref ?? MAIN}`,
  key,
  ref: MAIN,
  bytes: 100,
  created: NOW - HOUR,
  used: NOW - HOUR,
  ...rest,
});

const entriesOf = ({ packs }: CacheIndex): CacheEntry[] => packs.map(({ key, bytes }) => entry(key, { bytes }));

const input = (rest: Partial<BudgetInput>): BudgetInput => {
  const index = rest.index ?? sampleIndex({});
  return {
    now: NOW,
    limit: 1000,
    ceiling: 1000,
    ref: MAIN,
    governs: true,
    entries: entriesOf(index),
    index,
    candidates: [],
    deadRefs: new Set(),
    rewrite: 0,
    ...rest,
  };
};

const candidate = (name: string, bytes: number, seconds = 10): StoreCandidate => ({
  path: storePath(name),
  narSize: Math.floor(bytes / 0.35),
  seconds,
  system: 'x86_64-linux',
});

const names = (paths: Iterable<string>): string[] => [...paths].map((path) => path.slice(44));
const removed = (plan: ReturnType<typeof planBudget>) =>
  plan.removed.map(({ entry: { key, ref }, why }) => [key, ref, why]);

describe('what is stored', () => {
  test('everything while it fits, and nothing is deleted', () => {
    const index = sampleIndex({ one: { a: {}, b: {} } }, { app: ['a'] });
    const plan = planBudget(input({ index, candidates: [candidate('new', 700)] }));
    expect(names(plan.admitted.map(({ path }) => path))).toEqual(['new']);
    expect(names(plan.kept)).toEqual(['a', 'b']);
    expect(plan).toMatchObject({ dropped: [], refused: [], removed: [], compacted: [], before: 200, others: 0 });
    expect(plan.after).toBeLessThanOrEqual(1000);
  });

  test('past the limit what saves the most seconds a byte, and the rest is not sent', () => {
    const candidates = [candidate('slow', 400, 100), candidate('quick', 400, 1), candidate('medium', 400, 50)];
    const plan = planBudget(input({ candidates }));
    expect(names(plan.admitted.map(({ path }) => path))).toEqual(['slow', 'medium']);
    expect(plan.refused).toEqual([{ path: storePath('quick'), bytes: 400, why: 'others save more time a byte' }]);
  });

  test('a pack gives way to what is worth more, and not to what is hardly worth more', () => {
    const index = sampleIndex({ one: { a: { bytes: 900, seconds: 90 } } }, { app: ['a'] });
    const of = (seconds: number) => planBudget(input({ index, candidates: [candidate('new', 900, seconds)] }));
    expect(names(of(100).admitted.map(({ path }) => path))).toEqual([]);
    expect(removed(of(100))).toEqual([]);
    expect(names(of(120).admitted.map(({ path }) => path))).toEqual(['new']);
    expect(removed(of(120))).toEqual([[samplePackKey('one'), MAIN, 'nothing in it is needed']]);
    expect(of(120).dropped).toEqual([{ path: storePath('a'), bytes: 900, why: 'others save more time a byte' }]);
  });

  test('what no image needs now counts for a fiftieth of its time', () => {
    const index = sampleIndex(
      { one: { old: { bytes: 500, seconds: 400 } }, two: { a: { bytes: 500 } } },
      { app: ['a'] },
    );
    const plan = planBudget(input({ index, candidates: [candidate('new', 400)] }));
    expect(plan.dropped).toEqual([{ path: storePath('old'), bytes: 500, why: 'not needed now' }]);
    expect(names(plan.kept)).toEqual(['a']);
  });

  test('a large path that takes longer to fetch than to build is not stored, a small one is', () => {
    const limit = 1e9;
    const candidates = [candidate('copy', 50_000_000, 0.5), candidate('text', 50_000, 0)];
    const plan = planBudget(input({ limit, candidates }));
    expect(names(plan.admitted.map(({ path }) => path))).toEqual(['text']);
    expect(plan.refused[0]).toMatchObject({ why: 'quicker to build than to fetch' });
  });

  test('a path that is larger than all of the room leaves it to others', () => {
    const plan = planBudget(input({ candidates: [candidate('huge', 5000, 1e6), candidate('small', 10, 1)] }));
    expect(names(plan.admitted.map(({ path }) => path))).toEqual(['small']);
  });
});

describe('packs of which only a part is needed', () => {
  const half = sampleIndex({ one: { a: { bytes: 300 }, old: { bytes: 400 } } }, { app: ['a'] });

  test('under half is written again when this run may, and counts in full when it may not', () => {
    const may = planBudget(input({ index: half, rewrite: 1000, candidates: [candidate('new', 690)] }));
    expect(may).toMatchObject({ compacted: [0], dropped: [{ path: storePath('old') }] });
    expect(names(may.admitted.map(({ path }) => path))).toEqual(['new']);
    const mayNot = planBudget(input({ index: half, candidates: [candidate('new', 690, 1)] }));
    expect(mayNot).toMatchObject({ compacted: [], admitted: [], after: 700 });
    expect(names(mayNot.kept)).toEqual(['a', 'old']);
  });

  test('more than half is left alone until there is no room', () => {
    const index = sampleIndex({ one: { a: { bytes: 500 }, old: { bytes: 300 } } }, { app: ['a'] });
    expect(planBudget(input({ index, rewrite: 1000 }))).toMatchObject({ compacted: [], dropped: [] });
    const tight = planBudget(input({ index, rewrite: 1000, candidates: [candidate('new', 480)] }));
    expect(tight.compacted).toEqual([0]);
    expect(tight.after).toBeLessThanOrEqual(1000);
  });

  test('of several the emptiest first, as far as this run may', () => {
    const old = { bytes: 200e6, seconds: 0 };
    const pack = (bytes: number, name: string) => ({ [name]: { bytes, seconds: 1000 }, [`old-${name}`]: old });
    const index = sampleIndex({ one: pack(150e6, 'a'), two: pack(50e6, 'b') }, { app: ['a', 'b'] });
    expect(planBudget(input({ index, limit: 500e6, rewrite: 400e6 })).compacted).toEqual([1]);
    expect(planBudget(input({ index, limit: 500e6, rewrite: 600e6 })).compacted).toEqual([0, 1]);
  });
});

describe('the limit', () => {
  test.each([0, 100, 450, 999, 5000])('of %i bytes is kept whatever is there', (limit) => {
    const index = sampleIndex(
      Object.fromEntries(
        [...Array(20).keys()].map((n) => [
          `p${n}`,
          { [`a${n}`]: { bytes: 37 + n, seconds: n }, [`old${n}`]: { bytes: (n * 13) % 50 || 1 } },
        ]),
      ),
      { app: [...Array(20).keys()].map((n) => `a${n}`) },
    );
    for (const rewrite of [0, 200, 10_000]) {
      const plan = planBudget(input({ index, limit, rewrite, candidates: [candidate('n', 120, 99)] }));
      expect(plan.after).toBeLessThanOrEqual(limit);
      const gone = plan.removed.reduce((total, { entry: { bytes } }) => total + bytes, 0);
      const compacted = plan.compacted.reduce((total, at) => total + (index.packs[at]?.bytes ?? 0), 0);
      if (rewrite === 0) expect(plan.before - gone + plan.admitted.length * 120).toBe(plan.after);
      expect(compacted).toBeLessThanOrEqual(rewrite);
    }
  });

  test('counts the entries of other tools and never deletes one, though nothing be left', () => {
    const index = sampleIndex({ one: { a: { bytes: 500 } } }, { app: ['a'] });
    const entries = [...entriesOf(index), entry('node-modules', { bytes: 3000, created: 0, used: 0 })];
    const plan = planBudget(input({ index, entries, candidates: [candidate('new', 100)] }));
    expect(plan).toMatchObject({ others: 3000, otherEntries: 1, admitted: [] });
    expect(removed(plan)).toEqual([[samplePackKey('one'), MAIN, 'nothing in it is needed']]);
  });
});

describe('entries that nobody misses', () => {
  test('those of closed pull requests first, and those of other tools there stay', () => {
    const dead = 'refs/pull/7/merge';
    const index = sampleIndex({ one: { a: {} } }, { app: ['a'] });
    const entries = [
      ...entriesOf(index),
      entry(samplePackKey('lost'), { created: NOW - 25 * HOUR }),
      entry(samplePackKey('pr'), { ref: dead }),
      entry('nix-images-v1-index-7-1', { ref: dead }),
      entry('node-modules', { ref: dead }),
    ];
    const plan = planBudget(input({ index, entries, deadRefs: new Set([dead]) }));
    expect(removed(plan)).toEqual([
      [samplePackKey('pr'), dead, 'of a closed pull request'],
      ['nix-images-v1-index-7-1', dead, 'of a closed pull request'],
      [samplePackKey('lost'), MAIN, 'no index names it'],
    ]);
  });

  test('what no index names, once its run must have ended, and indexes before the last two', () => {
    const entries = [
      entry(samplePackKey('young')),
      entry(samplePackKey('old'), { created: NOW - 25 * HOUR }),
      entry('nix-images-v1-part-1-x-y-1', { created: NOW - 25 * HOUR }),
      entry('nix-images-v1-part-2-x-y-1'),
      ...[1, 2, 3, 4].map((n) => entry(`nix-images-v1-index-${n}-1`, { created: n })),
      entry('nix-images-v2-index-9-1', { created: 0 }),
    ];
    expect(removed(planBudget(input({ entries }))).map(([key]) => key)).toEqual([
      'nix-images-v1-index-2-1',
      'nix-images-v1-index-1-1',
      samplePackKey('old'),
      'nix-images-v1-part-1-x-y-1',
    ]);
  });

  test('of other branches the longest unused, past a tenth of the limit', () => {
    const other = (name: string, used: number) =>
      entry(samplePackKey(name), { ref: 'refs/pull/9/merge', bytes: 60, used });
    const plan = planBudget(input({ entries: [other('a', 1), other('b', 2)] }));
    expect(removed(plan)).toEqual([[samplePackKey('a'), 'refs/pull/9/merge', 'other branches have used their share']]);
  });
});

describe("a pull request's run", () => {
  const ref = 'refs/pull/9/merge';
  const index = sampleIndex({ base: { a: { bytes: 900 } } }, { app: ['a'] });

  test('deletes nothing of others, and stores what fits into its share', () => {
    const entries = [
      ...entriesOf(index),
      entry(samplePackKey('x'), { ref: 'refs/pull/1/merge', bytes: 10, created: 0 }),
    ];
    const candidates = [candidate('new', 60, 1), candidate('more', 60, 9)];
    const of = (ceiling: number) =>
      planBudget(
        input({ index, entries, candidates, ref, governs: false, limit: 900, ceiling, deadRefs: new Set([ref]) }),
      );
    expect(of(1100)).toMatchObject({ removed: [], dropped: [] });
    expect(names(of(1100).admitted.map(({ path }) => path))).toEqual(['more']);
    expect(names(of(1100).kept)).toEqual(['a']);
    expect(of(960).admitted).toEqual([]);
  });

  test('replaces its own packs', () => {
    const own = sampleIndex({ base: { a: {} }, mine: { old: { bytes: 90 } } }, { app: ['a', 'new'] });
    const entries = [entry(samplePackKey('base')), entry(samplePackKey('mine'), { ref, bytes: 90 })];
    const plan = planBudget(input({ index: own, entries, candidates: [candidate('new', 60)], ref, governs: false }));
    expect(removed(plan)).toEqual([[samplePackKey('mine'), ref, 'nothing in it is needed']]);
    expect(names(plan.kept)).toEqual(['a']);
  });
});

test('a store that cannot be listed: the index says what is there', () => {
  const index = sampleIndex({ one: { a: { bytes: 600 } } }, { app: ['a'] });
  const plan = planBudget(input({ index, entries: undefined, candidates: [candidate('new', 300)] }));
  expect(plan).toMatchObject({ before: 600, removed: [] });
  expect(plan.admitted).toHaveLength(1);
});

test('two thousand paths are planned in a moment', () => {
  const many = Object.fromEntries(
    [...Array(100).keys()].map((n) => [
      `p${n}`,
      Object.fromEntries([...Array(40).keys()].map((m) => [`a${n}-${m}`, { bytes: 10 + m, seconds: n + m }])),
    ]),
  );
  const index = sampleIndex(many, { app: [...Array(100).keys()].map((n) => `a${n}-0`) });
  const start = performance.now();
  expect(planBudget(input({ index, limit: 50_000, rewrite: 20_000 })).after).toBeLessThanOrEqual(50_000);
  expect(performance.now() - start).toBeLessThan(1000);
});

test('packs are never written again to keep less than leaving them would', () => {
  const below = numbersFrom(5);
  for (let round = 0; round < 60; round += 1) {
    const packs = Object.fromEntries(
      Array.from({ length: 8 }, (_, pack) => [
        `p${pack}`,
        Object.fromEntries(
          Array.from({ length: 6 }, (_unused, at) => [`a${pack}-${at}`, { bytes: 5 + below(40), seconds: below(100) }]),
        ),
      ]),
    );
    const all = Object.values(packs).flatMap((paths) => Object.keys(paths));
    const index = sampleIndex(packs, { app: all.filter(() => below(3) > 0) });
    const needed = new Set(index.closures.flatMap(({ paths }) => paths));
    const limit = 300 + below(5) * 150;
    const kept = (rewrite: number): number => {
      const plan = planBudget(input({ index, limit, rewrite }));
      const paths = index.paths.filter(({ path }) => plan.kept.has(path));
      return paths.reduce((sum, { path, seconds }) => sum + (needed.has(path) ? 1 : 0.02) * Math.max(seconds, 0.1), 0);
    };
    expect(kept(500)).toBeGreaterThanOrEqual(kept(0));
  }
});
