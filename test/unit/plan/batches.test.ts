import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchItem, batchesOf, parseBatch } from '../../../src/plan/batches.ts';

const item = (name: string, kind: string, ...parts: readonly string[]): BatchItem => ({
  name,
  kind,
  isAlone: kind === '',
  parts: new Set(parts),
});

const names = (batches: readonly (readonly BatchItem[])[]): string[] =>
  batches.map((batch) => batch.map(({ name }) => name).join(' '));

const fleet = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^[a-z]{1,3}$/),
    kind: fc.constantFrom('x86', 'arm'),
    isAlone: fc.boolean(),
    parts: fc.array(fc.integer({ min: 0, max: 9 }).map(String), { maxLength: 6 }).map((parts) => new Set(parts)),
  }),
  { selector: ({ name, kind }) => `${name} ${kind}`, maxLength: 40 },
);

const limits = fc.record({
  batch: fc.oneof(fc.constantFrom('auto' as const, 'none' as const), fc.integer({ min: 1, max: 9 })),
  maxJobs: fc.integer({ min: 1, max: 50 }),
});

describe('batchesOf', () => {
  test('each image is in one batch, of its own kind, whatever the limits', () => {
    fc.assert(
      fc.property(fleet, limits, (items, given) => {
        const batches = batchesOf(items, given);
        expect(new Set(batches.flat())).toEqual(new Set(items));
        expect(batches.flat()).toHaveLength(items.length);
        for (const batch of batches) {
          expect(new Set(batch.map(({ kind }) => kind)).size).toBe(1);
          if (batch.some(({ isAlone }) => isAlone)) expect(batch).toHaveLength(1);
        }
      }),
    );
  });

  test('there are no more jobs than may be, unless kinds are too many', () => {
    fc.assert(
      fc.property(fleet, limits, (items, given) => {
        const alone = items.filter(({ isAlone }) => isAlone).length;
        const kinds = new Set(items.flatMap(({ kind, isAlone }) => (isAlone ? [] : kind))).size;
        const most = given.batch === 'none' ? items.length : Math.max(given.maxJobs, alone + kinds);
        expect(batchesOf(items, given).length).toBeLessThanOrEqual(most);
      }),
    );
  });

  test('depends on no order', () => {
    fc.assert(
      fc.property(fleet, limits, (items, given) => {
        expect(batchesOf([...items].reverse(), given)).toEqual(batchesOf(items, given));
      }),
    );
  });

  test('images that share most go together', () => {
    const items = [
      item('api', 'x86', 'glibc', 'python', 'django'),
      item('blog', 'x86', 'glibc', 'node'),
      item('cron', 'x86', 'glibc', 'python'),
      item('docs', 'x86', 'glibc', 'node', 'vite'),
    ];
    expect(names(batchesOf(items, { batch: 'auto', maxJobs: 2 }))).toEqual(['api cron', 'blog docs']);
    expect(names(batchesOf(items, { batch: 2, maxJobs: 20 }))).toEqual(['api cron', 'blog docs']);
  });

  test('a part that several of a batch have counts once', () => {
    const items = [
      item('a', 'x86', 'x', 'y', 'w', 'p', 'q', 'r'),
      item('b', 'x86', 'x', 'p', 'q', 'r'),
      item('c', 'x86', 'x'),
      item('d', 'x86', 'y', 'w'),
      item('e', 'x86'),
      item('f', 'x86'),
    ];
    expect(names(batchesOf(items, { batch: 3, maxJobs: 20 }))).toEqual(['a b d', 'c e f']);
  });

  test('batches and their images are in the order of the names', () => {
    const items = [
      item('a', 'x86', 'x'),
      item('b', 'x86', 'y'),
      item('c', 'x86', 'x', 'y'),
      item('d', 'arm'),
      item('e', 'arm'),
      item('f', 'x86'),
    ];
    expect(names(batchesOf(items, { batch: 3, maxJobs: 20 }))).toEqual(['a c', 'b f', 'd e']);
    expect(names(batchesOf(items, { batch: 4, maxJobs: 2 }))).toEqual(['a b c f', 'd e']);
  });

  test('the parts of an image are read a few times, however many images there are', () => {
    let reads = 0;
    class Counted extends Set<string> {
      override [Symbol.iterator]() {
        reads += 1;
        return super[Symbol.iterator]();
      }
    }
    const items = Array.from({ length: 200 }, (_, at) => ({
      ...item(`i${at + 100}`, 'x86'),
      parts: new Counted(['glibc', `own${at}`]),
    }));
    expect(batchesOf(items, { batch: 'auto', maxJobs: 20 })).toHaveLength(20);
    expect(reads).toBeLessThanOrEqual(200 * 3);
  });

  test('auto leaves each image alone where there are jobs enough; none always does', () => {
    const items = Array.from({ length: 20 }, (_, at) => item(`i${at + 10}`, 'x86', 'glibc'));
    const sizes = (given: Parameters<typeof batchesOf>[1]) => batchesOf(items, given).map(({ length }) => length);
    expect(sizes({ batch: 'auto', maxJobs: 20 })).toEqual(Array(20).fill(1));
    expect(sizes({ batch: 'auto', maxJobs: 3 })).toEqual([7, 7, 6]);
    expect(sizes({ batch: 5, maxJobs: 20 })).toEqual([5, 5, 5, 5]);
    expect(sizes({ batch: 5, maxJobs: 2 })).toEqual([10, 10]);
    expect(sizes({ batch: 'none', maxJobs: 2 })).toEqual(Array(20).fill(1));
  });

  test('the jobs that there may be go to the kinds by their images', () => {
    const both = ['arm', 'x86'].flatMap((kind) =>
      Array.from({ length: 20 }, (_, at) => item(`i${at + 10}`, kind, 'a')),
    );
    const [few] = [batchesOf([...both, item('disk', '')], { batch: 'auto', maxJobs: 9 })];
    expect(few).toHaveLength(9);
    expect(few.map(({ length }) => length).sort()).toEqual([1, 5, 5, 5, 5, 5, 5, 5, 5]);
  });
});

test('a batch is auto, none or a number', () => {
  expect(['auto', 'none', '7'].map(parseBatch)).toEqual(['auto', 'none', 7]);
  for (const wrong of ['0', '-1', '1000', 'all', '1.5']) expect(() => parseBatch(wrong)).toThrow('not a valid batch');
});
