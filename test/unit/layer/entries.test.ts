import { describe, expect, test } from 'vitest';
import { emptyDirectory, type RootDirectory } from '../../../src/definition/root-tree.ts';
import type { TreeNode } from '../../../src/definition/tree.ts';
import { rootLayerEntries, storeLayerEntries } from '../../../src/layer/entries.ts';

const PATH = '/nix/store/00000000000000000000000000000000-a';

const holding = (name: string): TreeNode => ({
  type: 'directory',
  source: PATH,
  children: new Map([[name, { type: 'symlink', source: `${PATH}/${name}`, target: 'x' }]]),
});

const storeEntries = (name: string): string[] => {
  const paths = [{ path: PATH, from: PATH }];
  const source = { read: () => holding(name), sameContent: () => false };
  return [...storeLayerEntries({ kind: 'store', paths, storeMode: 0o755, over: {} }, source)].map(({ path }) => path);
};

const rootEntries = (name: string): string[] => {
  const root: RootDirectory = emptyDirectory('test');
  root.children.set(name, emptyDirectory('test'));
  return [...rootLayerEntries(root)].map(({ path }) => path);
};

describe('names that mean deletion in a layer', () => {
  test.each(['.wh.a', '.wh..wh..opq', '.wh.'])('%j is refused', (name) => {
    expect(() => storeEntries(name)).toThrow(`${PATH}/${name}: a layer cannot hold`);
    expect(() => rootEntries(name)).toThrow(`/${name}: a layer cannot hold`);
  });
  test.each(['.wh', 'a.wh.b', '.whx'])('%j is an ordinary name', (name) => {
    expect(storeEntries(name).at(-1)).toBe(`${PATH.slice(1)}/${name}`);
    expect(rootEntries(name)).toEqual([name]);
  });
});
