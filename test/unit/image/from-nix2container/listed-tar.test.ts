import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toBytes } from '../../../../src/core/bytes.ts';
import { listedPath, listedPathSchema } from '../../../../src/image/from-nix2container/listed-path.ts';
import { listedEntries } from '../../../../src/image/from-nix2container/listed-tree.ts';
import { listedHeader } from '../../../../src/tar/listed-header.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../../support/tools.ts';
import { writeAwkwardTree } from './awkward-tree.ts';

let temp: TempDir;
let tree: string;

beforeAll(async () => {
  temp = await uniqueTempDir('listed');
  tree = join(temp.path, 'tree');
  await writeAwkwardTree(tree);
});

afterAll(async () => {
  // Folders of the store's modes cannot be emptied by whoever is not root.
  await runProgram('chmod', ['-R', 'u+w', tree]);
  await temp?.remove();
});

const everyone = { regex: '.*', mode: '0755', orMode: '', uid: 1000, gid: 3_000_000, uname: '', gname: '' };
const some = { regex: 'share', mode: '', orMode: '', uid: 0, gid: 0, uname: 'user', gname: 'x'.repeat(40) };

// What nix2container 1.0.0 itself says of this tree, moved to a store path and to the root.
test.each([
  [
    'a store path',
    '/nix/store/00000000000000000000000000000000-tree',
    [],
    '88495d062434606386d419fccb36800ce5c3e20288e103fe01a2698973c35ac4',
  ],
  ['the root, with owners', '', [everyone, some], '219b67d29b1a2fae0cd7e95a8507df6f4d7eee81a473019d3ab60568a20e6cca'],
])('a layer of %s is byte for byte what nix2container makes', (_what, repl, perms, expected) => {
  const paths = [listedPath({ path: tree, options: { rewrite: { regex: `^${tree}`, repl }, perms } })];
  const hash = createHash('sha256');
  for (const entry of listedEntries(paths)) {
    hash.update(listedHeader(entry));
    if (entry.size === 0) continue;
    hash.update(readFileSync(toBytes(entry.source)));
    hash.update(Buffer.alloc((512 - (entry.size % 512)) % 512));
  }
  expect(hash.update(Buffer.alloc(1024)).digest('hex')).toBe(expected);
});

test.each([
  ['$1-$\u007b2}$$', '/x/ab', '^/x/(.)(.)', 'a-b$'],
  ['', '/x/ab', '^/x', '/ab'],
  ['/new$9', '/x', '^/x', '/new'],
])('the replacement %j', (repl, source, regex, expected) => {
  expect(listedPath({ path: '/x', options: { rewrite: { regex, repl } } }).rewrite(source)).toBe(expected);
});

const inStore = `/nix/store/${'0'.repeat(32)}-x`;

test.each([
  { path: inStore, ignoreDestination: true },
  { path: inStore, options: { follow: true } },
  { path: inStore, options: { rewrite: { regex: '', repl: '', flags: 'i' } } },
  { path: inStore, options: { perms: [{ regex: '', andMode: '0700' }] } },
])('what is not known is refused: %j', (path) => {
  expect(listedPathSchema.safeParse(path).error?.issues.map(({ code }) => code)).toEqual(['unrecognized_keys']);
});

test('bits are added to the mode that the file has by then', () => {
  const perms = [
    { ...everyone, mode: '', orMode: '0200' },
    { ...some, mode: '0444', orMode: '0022' },
  ];
  const path = listedPath({ path: tree, options: { rewrite: { regex: `^${tree}`, repl: '' }, perms } });
  const modes = new Map(listedEntries([path]).map(({ source, mode }) => [source, mode]));
  const shared = [...modes].filter(([source]) => source.includes('share'));
  const others = [...modes].filter(([source]) => source !== '' && !source.includes('share'));
  expect(shared.length).toBeGreaterThan(0);
  expect(others.length).toBeGreaterThan(0);
  for (const [, mode] of shared) expect(mode).toBe(0o466);
  for (const [, mode] of others) expect([0o755, 0o644, 0o777]).toContain(mode);
});

test('a rewrite that leads out of the image is refused', () => {
  const path = listedPath({ path: tree, options: { rewrite: { regex: `^${tree}/bin`, repl: '/../out' } } });
  expect(() => listedEntries([path])).toThrow(/which is not a path in it/);
});

test('a pattern that is none is refused by its text', () => {
  const rewrite = { regex: '^/c++', repl: '' };
  expect(() => listedPath({ path: '/x', options: { rewrite } })).toThrow(/\^\/c\+\+/);
});

test('only paths of the store are listed', () => {
  for (const path of ['/etc', '/nix/store/../etc', 'relative'])
    expect(listedPathSchema.safeParse({ path }).success).toBe(false);
});
