import { expect, test } from 'vitest';
import { hashText, moved, revise } from '../../../bench/disk/revisions.ts';
import { placeTrees, type Sized } from '../../../src/erofs/place.ts';
import { type Positions, repackAdvice } from '../../../src/erofs/positions.ts';
import { reservedFor } from '../../../src/erofs/root-directory.ts';
import { chancesOf } from '../../support/chances.ts';
import { closureBy, named, overlaps } from './placing.ts';

const LIMIT = 1 << 24;
const chance = chancesOf(1);
const [h1, h2, h3, h4] = [1, 2, 3, 4].map(() => hashText(chance)) as [string, string, string, string];
const placesOf = ({ paths }: Positions) => Object.fromEntries(paths.map(({ path, block }) => [path.slice(33), block]));
const next = (previous: Positions, trees: readonly Sized[]) => placeTrees(trees, { previous, limit: LIMIT });

test('the first disk packs by name, whatever the hashes, in 512 KiB from the start', () => {
  const trees = [named(h1, 'zlib-1', 3), named(h3, 'bash-5', 5), named(h2, 'curl-8', 1)];
  const positions = placeTrees(trees, { limit: LIMIT });
  expect(positions.root).toEqual({ block: 1, blocks: 127 });
  expect(placesOf(positions)).toEqual({ 'bash-5': 128, 'curl-8': 133, 'zlib-1': 134 });
  expect(positions.blocks).toBe(137);
});

test('equal names go by hash, so the order in which they come makes no difference', () => {
  const trees = closureBy(chance, 50).concat([named(h1, 'same', 2), named(h2, 'same', 3)]);
  const mixed = trees.map((tree) => ({ tree, by: chance() })).sort((a, b) => a.by - b.by);
  const positions = placeTrees(trees, { limit: LIMIT });
  expect(
    placeTrees(
      mixed.map(({ tree }) => tree),
      { limit: LIMIT },
    ),
  ).toEqual(positions);
  const later = revise(trees, chance);
  expect(next(positions, later.toReversed())).toEqual(next(positions, later));
});

const first = placeTrees([named(h1, 'a-1', 10), named(h1, 'b-1', 10), named(h1, 'c-1', 5), named(h1, 'd-1', 4)], {
  limit: LIMIT,
});

test('a rebuilt path takes the place of the one with its name, although a smaller gap is there', () => {
  const after = next(first, [named(h2, 'a-1', 4), named(h1, 'b-1', 10), named(h1, 'd-1', 4)]);
  expect(placesOf(after)).toEqual({ 'a-1': 128, 'b-1': 138, 'd-1': 153 });
});

test('so does another version', () => {
  const after = next(first, [named(h2, 'a-2.1', 4), named(h1, 'b-1', 10), named(h1, 'd-1', 4)]);
  expect(placesOf(after)).toEqual({ 'a-2.1': 128, 'b-1': 138, 'd-1': 153 });
});

test('and one that has grown into the gap behind', () => {
  const gap = next(first, [named(h1, 'a-1', 10), named(h1, 'c-1', 5), named(h1, 'd-1', 4)]);
  const after = next(gap, [named(h2, 'a-2.1', 20), named(h1, 'c-1', 5), named(h1, 'd-1', 4)]);
  expect(placesOf(after)).toEqual({ 'a-2.1': 128, 'c-1': 148, 'd-1': 153 });
});

test('of several places the one of the same version comes first, then the smallest that is large enough', () => {
  const before = placeTrees(
    [named(h1, 'gap', 5), named(h1, 'x-1', 10), named(h1, 'x-2', 6), named(h1, 'x-3', 8), named(h1, 'z', 1)],
    {
      limit: LIMIT,
    },
  );
  expect(placesOf(next(before, [named(h2, 'x-1', 5), named(h1, 'z', 1)]))).toEqual({ 'x-1': 133, z: 157 });
  expect(placesOf(next(before, [named(h2, 'x-4', 5), named(h1, 'z', 1)]))).toEqual({ 'x-4': 143, z: 157 });
});

test('outputs of one package and version stay apart', () => {
  const outputs = [named(h1, 'openssl-3.0.14-bin', 5), named(h1, 'openssl-3.0.14-dev', 9)];
  const before = placeTrees(outputs, { limit: LIMIT });
  const after = next(before, [named(h2, 'openssl-3.0.15-dev', 4), named(h2, 'openssl-3.0.15-bin', 5)]);
  expect(placesOf(after)).toEqual({ 'openssl-3.0.15-bin': 128, 'openssl-3.0.15-dev': 133 });
});

test('what does not fit there goes into the smallest gap that is large enough, the largest first, or to the end', () => {
  const full = placeTrees([named(h1, 'a-1', 10), named(h1, 'b-1', 10), named(h1, 'c-1', 10), named(h1, 'd-1', 4)], {
    limit: LIMIT,
  });
  const holes = next(full, [named(h1, 'b-1', 10), named(h1, 'd-1', 4)]);
  const before: Positions = {
    ...holes,
    paths: [...holes.paths, { path: `${h1}-e`, block: 200, blocks: 1 }],
    blocks: 201,
  };
  // Gaps: 128 to 137, 148 to 157, 162 to 199.
  const after = next(before, [
    named(h2, 'x', 9),
    named(h3, 'y', 10),
    named(h4, 'z', 30),
    named(h2, 'w', 50),
    ...kept(before),
  ]);
  expect(placesOf(after)).toMatchObject({ w: 201, z: 162, y: 128, x: 148 });
  expect(placesOf(next(before, [named(h2, 'x', 9), ...kept(before)]))).toMatchObject({ x: 128 });
  expect(placesOf(next(before, [named(h2, 'x', 11), ...kept(before)]))).toMatchObject({ x: 162 });
});

const kept = ({ paths }: Positions): Sized[] => paths.map(({ path, blocks }) => ({ name: path, blocks }));

test('a path that stays and has grown stays where it is if it can', () => {
  const file = (blocks: number) => ({ name: 'nix-path-registration', blocks });
  const before = placeTrees([named(h1, 'a', 3), file(2)], { limit: LIMIT });
  expect(next(before, [named(h1, 'a', 3), file(9)]).paths[1]).toEqual({
    path: 'nix-path-registration',
    block: 131,
    blocks: 9,
  });
});

test.each([1, 2, 3])('over 20 revisions nothing that stays is moved, and nothing overlaps (seed %i)', (seed) => {
  const by = chancesOf(seed);
  let closure = closureBy(by, 300);
  let positions = placeTrees(closure, { limit: LIMIT });
  for (let revision = 1; revision <= 20; revision += 1) {
    closure = revise(closure, by);
    const after = next(positions, closure);
    expect(moved(positions, after)).toEqual([]);
    expect(overlaps(after)).toEqual([]);
    expect(after.paths.map(({ path, blocks }) => `${path} ${blocks}`).sort()).toEqual(
      closure.map(({ name, blocks }) => `${name} ${blocks}`).sort(),
    );
    positions = after;
  }
  expect(repackAdvice(positions)).toBeUndefined();
});

test('a root directory that outgrows what is reserved moves, and no path does', () => {
  const closure = closureBy(chance, 4000);
  const small = closure.slice(0, 10);
  const before = placeTrees(small, { limit: LIMIT });
  expect(before.root.blocks).toBe(127);
  const large = Array.from({ length: 12_000 }, (_, index) => named(hashText(chance), `p${index}`, 1));
  const after = next(before, [...small, ...large]);
  expect(after.root.blocks).toBeGreaterThan(127);
  expect(after.root.block).toBeGreaterThan(1);
  expect(moved(before, after)).toEqual([]);
  expect(overlaps(after)).toEqual([]);
});

test('what is reserved ends with a whole block of a cloud', () => {
  expect([1, 63, 64, 127, 128].map(reservedFor)).toEqual([127, 127, 255, 255, 383]);
});

test('fresh packs again, which is advised where gaps are more than two fifths', () => {
  const closure = [named(h1, 'a', 3), named(h1, 'c', 3)];
  const before = placeTrees([...closure, named(h1, 'b', 300)], { limit: LIMIT });
  const gaps = next(before, closure);
  expect(repackAdvice(gaps)).toBe(
    "69 % of the store's 1.8 MB are gaps that older paths left; placing everything again (fresh) packs it",
  );
  expect(placeTrees(closure, { previous: before, fresh: true, limit: LIMIT })).toEqual(
    placeTrees(closure, { limit: LIMIT }),
  );
});

test('a store that is larger than its partition says by how much', () => {
  expect(() => placeTrees([named(h1, 'a', 300_000)], { limit: 262_144 })).toThrow(
    'the store needs 1.2 GB for 1 path, but its partition has 1.1 GB',
  );
});

test('one that would fit if it were packed says so', () => {
  const before = placeTrees([named(h1, 'a', 100), named(h1, 'b', 10)], { limit: LIMIT });
  const trees = [named(h1, 'b', 10), named(h1, 'c', 130)];
  expect(() => placeTrees(trees, { previous: before, limit: 300 })).toThrow(
    'the store does not fit between what the previous disk keeps in place: it would end after 1.5 MB, but its partition has 1.2 MB',
  );
  expect(placeTrees(trees, { previous: before, fresh: true, limit: 300 }).blocks).toBe(268);
});

test('a path that comes twice is an error', () => {
  expect(() => placeTrees([named(h1, 'a', 1), named(h1, 'a', 2)], { limit: LIMIT })).toThrow(
    `${h1}-a is in the store twice`,
  );
});
