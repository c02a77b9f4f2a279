import { expect, test } from 'vitest';
import type { CachedPath } from '../../../src/cache/cache-index.ts';
import { ExpectedPaths } from '../../../src/cache/substituter/expected-paths.ts';
import { ServedIndex } from '../../../src/cache/substituter/served-index.ts';
import { createSigningKey } from '../../../src/nix/signing-key.ts';
import { sampleCache } from './served.ts';

/** Expected paths of a cache in which each path refers to those whose numbers are given, and `inStore` are there already. */
function scene(references: readonly (readonly number[])[], inStore: readonly number[] = []) {
  const { index } = sampleCache(references.length);
  const nameOf = (number: number): string => index.paths[number]?.path ?? `/nix/store/${'z'.repeat(32)}-upstream`;
  const paths = index.paths.map((path, at) => ({ ...path, references: (references[at] ?? []).map(nameOf) }));
  const here = new Set(inStore.map(nameOf));
  const expected = new ExpectedPaths(new ServedIndex({ ...index, paths }, createSigningKey('test-1')), (path) =>
    here.has(path),
  );
  /** Numbers and heights. */
  return (number: number) =>
    expected
      .after(paths[number] as CachedPath)
      .map(({ path, height }): readonly [number, number] => [Number(path.path.slice(-1)), height])
      .sort(([a], [b]) => a - b);
}

test('a path brings what it refers to in the cache, each with the length of the longest chain below it, once', () => {
  const after = scene([[1, 2, 99], [2, 3], [3], [], [0]]);
  expect(after(0)).toEqual([
    [0, 3],
    [1, 2],
    [2, 1],
    [3, 0],
  ]);
  expect(after(0)).toEqual([]);
  expect(after(4)).toEqual([[4, 4]]);
});

test('what is in the store, and what only that refers to, is not expected until Nix asks for it', () => {
  const after = scene([[1, 3], [2], [], []], [1]);
  expect(after(0)).toEqual([
    [0, 1],
    [3, 0],
  ]);
  // Left behind there by something else: Nix does not know it.
  expect(after(1)).toEqual([
    [1, 1],
    [2, 0],
  ]);
});

test('a path that refers to itself lies no higher for it, and a circle has an end', () => {
  expect(scene([[0, 1], [1]])(0)).toEqual([
    [0, 1],
    [1, 0],
  ]);
  expect(scene([[1], [2], [0]])(0).length).toBe(3);
});

test('a chain of ten thousand paths is walked without recursion', () => {
  const { index } = sampleCache(1);
  const [one] = index.paths as [CachedPath];
  const nameOf = (at: number): string => `/nix/store/${String(at).padStart(32, '0')}-p`;
  const paths = Array.from({ length: 10_000 }, (_, at) => ({ ...one, path: nameOf(at), references: [nameOf(at + 1)] }));
  const expected = new ExpectedPaths(new ServedIndex({ ...index, paths }, createSigningKey('test-1')), () => false);
  expect(expected.after(paths[0] as CachedPath).at(-1)?.height).toBe(9_999);
});
