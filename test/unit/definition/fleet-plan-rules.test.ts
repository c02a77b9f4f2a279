import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StorePathInfo } from '../../../src/definition/closure.ts';
import { planFleet } from '../../../src/definition/fleet-plan.ts';
import { byPath, bytesOf, fleets, hashes, keys, MB, path } from './fleets.ts';

const KB = 1024;
const image = (closure: readonly StorePathInfo[], budget: number, previous: readonly string[][] = []) => ({
  closure: [...closure].sort(byPath),
  budget,
  previous,
});

/** The layers by the names of their paths, sorted. */
const names = (layers: readonly (readonly StorePathInfo[])[]): string[] =>
  layers
    .map((layer) =>
      layer
        .map((info) => info.path.slice(44))
        .sort()
        .join(' '),
    )
    .sort();

/** As `planFleet`, with the layers by name. */
const plan = (...images: readonly ReturnType<typeof image>[]): string[][] => planFleet(images).map(names);

test('what is new comes with the largest layer first, and paths in a layer in the order of their bytes', () => {
  fc.assert(
    fc.property(fleets, (fleet) => {
      // Twice, so that all share all.
      for (const layers of planFleet([...fleet, ...fleet])) {
        const sizes = layers.map(bytesOf);
        expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
        for (const layer of layers) expect(keys([layer])).toEqual(keys([[...layer].sort(byPath)]));
      }
    }),
  );
});

test('a path rather lies beside a larger one of the same images than twice', () => {
  const [small, large, own] = [path('small', 70 * KB), path('large', MB), path('own', 100 * KB)];
  expect(plan(image([small, large, own], 2), image([small, large], 9))).toEqual([
    ['large small', 'own'],
    ['large small'],
  ]);
});

test('it lies twice where that costs less than what would change with it', () => {
  const [small, large, own] = [path('small', 70 * KB), path('large', 20 * MB), path('own', 100 * KB)];
  const [tight] = plan(image([small, large, own], 2), image([small, large], 9));
  expect(tight).toEqual(['large', 'own small']);
});

test('of paths that the same images hold, the smallest go together', () => {
  // The largest has the first name of all, and so would be taken where nothing else decides.
  const [first = '', second = '', third = ''] = ['x', 'y', 'z'].sort((a, b) => byPath(path(a, 0), path(b, 0)));
  const all = [path(first, 3 * MB), path(second, 600 * KB), path(third, 700 * KB)];
  const expected = [first, [second, third].sort().join(' ')].sort();
  expect(plan(image(all, 2), image(all, 2))).toEqual([expected, expected]);
});

test('where there is room, small paths of one image stay apart, and those of several go together', () => {
  const [one, two] = [path('one', KB), path('two', KB)];
  const [also, too] = [path('also', KB), path('too', KB)];
  expect(plan(image([one, two, also, too], 9), image([also, too], 9))).toEqual([
    ['also too', 'one', 'two'],
    ['also too'],
  ]);
});

test('published layers are taken as they are, those of one small path too', () => {
  const [a, b, c] = [path('a', KB), path('b', KB), path('c', KB)];
  const [also, added] = [path('also', KB), path('added', KB)];
  const published = image([a, also, b, c], 9, hashes([[a], [also], [b, c]]));
  const both = image([a, also, b, c, added], 9);
  const [, one, two] = plan(published, both, both);
  expect([one, two]).toEqual(Array(2).fill(['a', 'added', 'also', 'b c']));
});

test('so they are where there is little room, and what is small goes together beside them', () => {
  const [a, b, c] = [path('a', KB), path('b', KB), path('c', KB)];
  const own = Array.from({ length: 5 }, (_, at) => path(`own${at}`, KB));
  const published = image([a, b, c], 9, hashes([[a], [b, c]]));
  const [, tight] = plan(published, image([a, b, c, ...own], 3));
  expect(tight).toEqual(['a', 'b c', 'own0 own1 own2 own3 own4']);
});

test('of a published layer that is not whole here nothing is kept apart', () => {
  const [a, b, added] = [path('a', KB), path('b', KB), path('added', KB)];
  const published = image([a, b], 9, hashes([[a, b]]));
  const [, one, two] = plan(published, image([a, added], 9), image([a, added], 9));
  expect([one, two]).toEqual([['a added'], ['a added']]);
});

test.each([
  [20, 30, ['a c', 'b']],
  [30, 20, ['a b', 'c']],
])('of published layers that overlap the largest is taken: %d and %d kB', (ofB, ofC, expected) => {
  const [a, b, c] = [path('a', 10 * KB), path('b', ofB * KB), path('c', ofC * KB)];
  const published = [image([a, b], 9, hashes([[a, b]])), image([a, c], 9, hashes([[a, c]]))];
  expect(plan(...published, image([a, b, c], 9)).at(-1)).toEqual(expected);
});

test('an image of which more is published than it may have layers has all of its paths', () => {
  const own = Array.from({ length: 6 }, (_, at) => path(`own${at}`, (at + 1) * MB));
  const shared = path('shared', MB);
  const published = image([...own, shared], 4, hashes(own.map((info) => [info])));
  const [layers = []] = planFleet([published, image([shared], 4)]);
  expect(layers.length).toBeLessThanOrEqual(4);
  expect(
    layers
      .flat()
      .map((info) => info.path)
      .sort(),
  ).toEqual(published.closure.map((info) => info.path));
});

test.each([
  ['small paths, in parts of what is worth a layer', 300 * KB, 9],
  ['paths of which none is the smallest, merged', 5 * MB, 3],
])('the order of the paths does not count for %s', (_what, size, budget) => {
  const { closure } = image(
    Array.from({ length: 7 }, (_, at) => path(`p${at}`, size)),
    budget,
  );
  const [expected, reversed] = [closure, [...closure].reverse()].map((paths) => {
    const one = { closure: paths, budget, previous: [] };
    return planFleet([one, one]).map(keys);
  });
  expect(reversed).toEqual(expected);
});
