import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromText } from '../../../src/core/bytes.ts';
import type { TreeFile } from '../../../src/definition/tree.ts';
import { readTree, storeTree } from '../../../src/layer/store-tree.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nix-images-tree-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const file = async (name: string, bytes: Uint8Array): Promise<TreeFile> => {
  await writeFile(join(folder, name), bytes);
  return readTree(fromText(join(folder, name))) as TreeFile;
};

test.each([
  [0, -1],
  [1, 0],
  [256 * 1024, -1],
  [256 * 1024, 256 * 1024 - 1],
  [600_000, -1],
  [600_000, 599_999],
])('content of %i bytes that differs at %i', async (size, at) => {
  const bytes = Buffer.alloc(size, 7);
  const a = await file('a', bytes);
  if (at >= 0) bytes[at] = 8;
  expect(storeTree.sameContent(a, await file('b', bytes))).toBe(at < 0);
});

test('files larger than a buffer may be are compared', async () => {
  const [a, b] = [await file('large', Buffer.from('a')), await file('other', Buffer.from('b'))];
  for (const name of ['large', 'other']) await truncate(join(folder, name), 3 * 2 ** 30);
  const size = 3 * 2 ** 30;
  expect(storeTree.sameContent({ ...a, size }, { ...b, size })).toBe(false);
});

test('a file that is gone is an error that names it', async () => {
  const a = await file('gone', Buffer.from('x'));
  await rm(join(folder, 'gone'));
  expect(() => storeTree.sameContent(a, a)).toThrow(/cannot read .*gone/);
});

test('what is below a store path is read through links to the store alone', async () => {
  const path = join(folder, `${'a'.repeat(32)}-package`);
  await mkdir(join(path, 'share'), { recursive: true });
  await writeFile(join(path, 'share/note'), 'note');
  await symlink('share', join(path, 'doc'));
  await symlink('/etc', join(path, 'etc'));
  const read = (name: string) => readTree(fromText(join(path, name)))?.type;
  expect(['share/note', 'doc/note', 'doc', 'etc', 'none/note'].map(read)).toEqual([
    'file',
    'file',
    'symlink',
    'symlink',
    undefined,
  ]);
  expect(() => read('etc/passwd')).toThrow(/-package\/etc\/passwd leads to \/etc, which is not in the Nix store/);
});

test('names that are not UTF-8 are read as they are, and lead out of the store no more than others', async () => {
  const path = `${folder}/${'b'.repeat(32)}-package`;
  const odd = Buffer.from(`${path}/\xff`, 'latin1');
  await mkdir(odd, { recursive: true });
  await symlink(Buffer.from('\xfe', 'latin1'), Buffer.from(`${path}/\xff/link`, 'latin1'));
  await symlink('/etc', Buffer.from(`${path}/\xff/etc`, 'latin1'));
  const tree = readTree(fromText(path));
  const children = tree?.type === 'directory' ? tree.children : new Map();
  expect([...children.keys()]).toEqual(['\xff']);
  expect(children.get('\xff').children.get('link').target).toBe('\xfe');
  expect(() => readTree(`${fromText(path)}/\xff/etc/passwd`)).toThrow('leads to /etc, which is not in the Nix store');
});
