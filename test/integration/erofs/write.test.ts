// erofs-utils' own fsck says what is in a file system: some 20 ms for each. The kernel mounts it where a disk is booted.
import { chmodSync, linkSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { placeTrees } from '../../../src/erofs/place.ts';
import type { Positions } from '../../../src/erofs/positions.ts';
import { readPositions } from '../../../src/erofs/read-positions.ts';
import { layOut } from '../../../src/erofs/tree.ts';
import { writeErofs } from '../../../src/erofs/write-erofs.ts';
import { entriesIn, erofsFile, fsckErofs, IDENTITY, NO_SIGNAL, treeListing, unpackErofs } from '../../support/erofs.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
const at = (...parts: string[]): string => join(temp.path, ...parts);

beforeAll(async () => {
  temp = await uniqueTempDir('erofs');
});
afterAll(() => temp.remove());

const HASH = '0123456789abcdfghijklmnpqrsvwxyz';
const bytes = (size: number, seed = size): Buffer => {
  const buffer = Buffer.alloc(size);
  for (let index = 0; index < size; index += 1) buffer[index] = (index * 31 + seed * 17 + (index >> 8)) % 255 || 1;
  return buffer;
};
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const under = (folder: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), name]);

/** Where sizes change how a file lies: with its inode, in blocks of its own, or both. */
const SIZES = [0, 1, 31, 32, 33, 4063, 4064, 4065, 4095, 4096, 4097, 8159, 8160, 8161, 8192, (3 << 20) + 1];

/** Whatever a store may hold, below `store`. */
function makeCorners(store: string): void {
  mkdirSync(store);
  const path = (name: string): string => join(store, `${HASH}-${name}`);
  mkdirSync(path('sizes'));
  for (const size of SIZES) writeFileSync(join(path('sizes'), String(size)), bytes(size));
  mkdirSync(path('names'));
  const names = [
    '+',
    '-',
    '.a',
    '..a',
    '0',
    'A',
    'a',
    'a.b',
    'a-b',
    'a b',
    '~',
    '\xff\xfe',
    '\xc3\xa4',
    '\n',
    'n'.repeat(255),
  ];
  for (const name of names) writeFileSync(under(path('names'), latin1(name)), name);
  // As many bytes of entries as fill a block to its end, one less and one more; and some 30 blocks.
  for (const length of [227, 228, 229]) {
    const folder = path(`block-${length}`);
    mkdirSync(folder);
    for (let index = 10; index < 26; index += 1) mkdirSync(join(folder, `${index}${'x'.repeat(length - 2)}`));
    writeFileSync(join(folder, 'y'.repeat(200)), '');
  }
  mkdirSync(path('many'));
  for (let index = 0; index < 500; index += 1) writeFileSync(join(path('many'), `${'m'.repeat(240)}${index}`), '');
  // Each has a block of inodes to itself: several groups of them.
  mkdirSync(path('groups'));
  for (let index = 0; index < 200; index += 1) writeFileSync(join(path('groups'), String(index)), bytes(2100, index));
  mkdirSync(join(path('deep'), ...Array.from({ length: 60 }, (_, level) => `level${level}`)), { recursive: true });
  mkdirSync(path('links'));
  for (const length of [1, 100, 4064, 4065, 4095]) symlinkSync('t'.repeat(length), join(path('links'), String(length)));
  symlinkSync(latin1('/\xff/x'), join(path('links'), 'odd'));
  writeFileSync(path('file'), bytes(5000));
  writeFileSync(path('program'), bytes(3));
  chmodSync(path('program'), 0o700);
  // Whose owner alone may not execute it: Nix looks at the owner.
  writeFileSync(path('no-program'), bytes(3));
  chmodSync(path('no-program'), 0o611);
  writeFileSync(path('empty-file'), '');
  mkdirSync(path('empty-folder'));
  symlinkSync('/nix/store', path('link'));
  writeFileSync(path('holes'), '');
  truncateSync(path('holes'), 4 << 20);
  writeFileSync(join(store, 'nix-path-registration'), 'registration');
}

test('fsck.erofs takes out what went in, with the modes and times of a store', async () => {
  makeCorners(at('corners'));
  await erofsFile(at('corners.erofs'), await entriesIn(at('corners')));
  expect(await unpackErofs(at('corners.erofs'), at('unpacked'))).toBe('');
  expect(await treeListing(at('unpacked'), { isStore: true })).toEqual(await treeListing(at('corners')));
  // 4 MiB of zeros are in it.
  const { size, blocks } = await stat(at('corners.erofs'));
  expect(size).toBeGreaterThan(4 << 20);
  expect(blocks * 512).toBeLessThan(size - (4 << 20) + 4096);
});

test('the root directory is as NixOS wants /nix/store', async () => {
  const { stdout } = await runProgram('dump.erofs', ['--path=/', at('corners.erofs')]);
  expect(stdout).toMatch(/Uid: 0 {3}Gid: 30000 {2}Access: 0?1?775\//);
  expect(stdout).toContain('Timestamp: 1970-01-01 00:00:01');
  // dump.erofs does not show the sticky bit: the inode is at byte 2048.
  expect((await readFile(at('corners.erofs'))).readUInt16LE(2048 + 4)).toBe(0o041775);
  const all = await runProgram('dump.erofs', ['-s', at('corners.erofs')]);
  expect(all.stdout).toMatch(/UUID:\s+6b1c2f6e-0d6f-4e6a-9a3a-2f1d5c0b9e77/);
  expect(all.stdout).toMatch(/features:\s+sb_csum mtime/);
});

test('every block of zeros is a hole, between data too', async () => {
  const stripes = Buffer.alloc(256 * 4096);
  for (let block = 0; block < 256; block += 2) stripes[block * 4096 + 5] = 1;
  writeFileSync(at('stripes'), stripes);
  await erofsFile(at('stripes.erofs'), [{ name: 'stripes', from: at('stripes') }]);
  const { size, blocks } = await stat(at('stripes.erofs'));
  expect(size).toBe((128 + 1 + 256) * 4096);
  // Superblock, root directory, inode and every other block; the file system may keep some for itself.
  expect(blocks * 512).toBeLessThan((3 + 128 + 16) * 4096);
});

test('links of a directory are counted as Linux counts them', async () => {
  const { stdout } = await runProgram('dump.erofs', [`--path=/${HASH}-block-227`, at('corners.erofs')]);
  expect(stdout).toContain('Links: 18 ');
});

test('inodes are in groups of 256 KiB, each with its data', async () => {
  const entry = { name: `${HASH}-groups`, from: at('corners', `${HASH}-groups`) };
  const [tree] = await layOut([entry], { signal: NO_SIGNAL });
  const ends = tree?.groups.map(({ block, blocks }) => [block, blocks]) ?? [];
  // A block for each file of 2,100 bytes, which leaves no room for another, and one for the folder.
  expect(ends).toEqual([
    [0, 64],
    [64, 64],
    [128, 64],
    [192, 9],
  ]);
});

test('behind other partitions it is the same, and nothing else of the file is touched', async () => {
  const start = (1 << 20) + 512;
  const entries = await entriesIn(at('corners'));
  await erofsFile(at('disk'), entries, { start });
  const disk = await readFile(at('disk'));
  expect(disk.subarray(0, start).every((byte) => byte === 0)).toBe(true);
  expect(disk.subarray(start).equals(await readFile(at('corners.erofs')))).toBe(true);
});

/** The same content, in another order, with other modes, times and links. */
function makeAgain(store: string, { isOther }: { readonly isOther: boolean }): void {
  const names = Array.from({ length: 40 }, (_, index) => `name${index}`);
  const mask = process.umask(isOther ? 0o077 : 0o022);
  try {
    mkdirSync(join(store, `${HASH}-a`), { recursive: true });
    for (const name of isOther ? names.reverse() : names)
      writeFileSync(join(store, `${HASH}-a`, name), name.slice(0, 5));
    if (isOther) {
      // What `nix-store --optimise` makes of equal files.
      linkSync(join(store, `${HASH}-a`, 'name1'), join(store, `${HASH}-b`));
      utimesSync(join(store, `${HASH}-b`), 5, 5);
    } else writeFileSync(join(store, `${HASH}-b`), 'name1');
  } finally {
    process.umask(mask);
  }
}

test('order of creation, umask, times, hard links and time zone change no byte', async () => {
  for (const [name, isOther] of [
    ['one', false],
    ['two', true],
  ] as const) {
    makeAgain(at(name), { isOther });
    const entries = await entriesIn(at(name));
    await erofsFile(at(`${name}.erofs`), isOther ? entries.reverse() : entries);
  }
  expect((await readFile(at('one.erofs'))).equals(await readFile(at('two.erofs')))).toBe(true);
});

test('paths that stay keep their bytes in the next revision', async () => {
  const entries = await entriesIn(at('corners'));
  const previous = await erofsFile(at('before.erofs'), entries);
  const rest = entries.filter(({ name }) => !/-(many|file|links)$/.test(name));
  const added = { name: `${HASH.replace('0', '1')}-many`, from: at('corners', `${HASH}-sizes`) };
  const after = await erofsFile(at('after.erofs'), [...rest, added], { previous });
  const [old, now] = await Promise.all([readFile(at('before.erofs')), readFile(at('after.erofs'))]);
  for (const { path, block, blocks } of after.paths.filter(({ path }) => path !== added.name)) {
    const [from, to] = [block * 4096, (block + blocks) * 4096];
    expect([path, now.subarray(from, to).equals(old.subarray(from, to))]).toEqual([path, true]);
  }
  expect(await fsckErofs(at('after.erofs'))).toBe('');
});

test('a disk tells its positions, and from them the next one comes out the same', async () => {
  const image = at('corners.erofs');
  await using file = await open(image, 'r');
  const read = await readPositions(file, image, 0);
  const written = await positionsOf(at('corners'));
  const startsOf = ({ paths }: Positions) => paths.map(({ path, block }) => `${path} ${block}`);
  expect(startsOf(read)).toEqual(startsOf(written));
  expect({ ...read, paths: [] }).toEqual({ ...written, paths: [] });
  const change = (name: string) => ({ name: name.replace(/^0/, '1'), blocks: 3 });
  const next = written.paths.map(({ path, blocks }, index) => (index % 3 ? { name: path, blocks } : change(path)));
  const [one, two] = [read, written].map((previous) => placeTrees(next, { previous, limit: 1 << 24 }));
  expect(one).toEqual(two);
});

test.each<[string, (disk: Buffer) => Buffer, string]>([
  ['no file system', (disk) => disk.fill(0), 'no superblock of EROFS at byte 1024'],
  ['a damaged superblock', (disk) => disk.fill(1, 1080, 1081), 'the checksum of its superblock is wrong'],
  ['a truncated one', (disk) => disk.subarray(0, 2000), 'it ends at byte 2000, before byte 4096'],
  ['a truncated directory', (disk) => disk.subarray(0, 5000), 'it ends at byte 5000, before byte 8192'],
  [
    'names outside the block',
    (disk) => disk.fill(0xff, 4096 + 8, 4096 + 10),
    'the block at byte 0 of its root directory is damaged',
  ],
  [
    'a name of no store path',
    (disk) => disk.fill('/', 4096 + 51, 4096 + 52),
    'the block at byte 0 of its root directory is damaged',
  ],
  ['two names in one place', (disk) => disk.copyWithin(4096 + 36, 4096 + 24, 4096 + 32), 'overlap those of'],
])('positions are not read from a disk with %s', async (name, spoil, message) => {
  const image = at(`${name}.img`);
  await writeFile(image, spoil(await readFile(at('one.erofs'))));
  await using file = await open(image, 'r');
  await expect(readPositions(file, image, 0)).rejects.toThrow(message);
});

test('what fsck.erofs says counts, not its exit code', async () => {
  const image = at('spoiled.erofs');
  await erofsFile(image, await entriesIn(at('one')));
  await using file = await open(image, 'r+');
  await file.write(Buffer.from('X'), 0, 1, 1024 + 64);
  expect(await fsckErofs(image)).toContain('checksum');
});

/** Where a store is placed that has no previous disk. */
async function positionsOf(store: string): Promise<Positions> {
  return placeTrees(await layOut(await entriesIn(store), { signal: NO_SIGNAL }), { limit: 1 << 24 });
}

/** What happens to a file between the scan and the copy. */
const CHANGES: readonly (readonly [string, (path: string) => Promise<unknown>, string])[] = [
  ['grown', (path) => writeFile(path, 'a longer text'), 'it changed meanwhile: it had 4 bytes and has 13'],
  ['shorter', (path) => writeFile(path, ''), 'it changed meanwhile: it had 4 bytes and has 0'],
  ['written to', (path) => writeFile(path, 'more'), 'it changed meanwhile: it was written to'],
  ['gone', (path) => rm(path), 'no such file or folder'],
  ['a link now', (path) => rm(path).then(() => symlink('/etc/passwd', path)), 'it is a symbolic link'],
  ['a folder now', (path) => rm(path).then(() => mkdirSync(path)), 'it is a folder'],
];

test.each(CHANGES)('a file that is %s when it is read is an error', async (name, change, message) => {
  const store = at(`change ${name}`);
  const path = join(store, `${HASH}-a`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'file'), 'text');
  utimesSync(join(path, 'file'), 1, 1);
  const trees = await layOut([{ name: `${HASH}-a`, from: path }], { signal: NO_SIGNAL });
  await change(join(path, 'file'));
  await using file = await open(at('changed.erofs'), 'w+');
  const erofs = { trees, positions: placeTrees(trees, { limit: 1000 }), identity: IDENTITY };
  const written = writeErofs({ file, path: 'disk.raw', start: 0 }, erofs, { signal: NO_SIGNAL });
  await expect(written).rejects.toThrow(`cannot read ${path}/file: ${message}`);
});

test('a disk that takes nothing is an error that names it', async () => {
  const trees = await layOut(await entriesIn(at('one')), { signal: NO_SIGNAL });
  await using file = await open('/dev/full', 'r+');
  const erofs = { trees, positions: placeTrees(trees, { limit: 1000 }), identity: IDENTITY };
  const written = writeErofs({ file, path: 'disk.raw', start: 0 }, erofs, { signal: NO_SIGNAL });
  await expect(written).rejects.toThrow('cannot write disk.raw: no space left on device');
});

test('what no store holds, and what is not there, is an error', async () => {
  await runProgram('mkfifo', [at('pipe')]);
  const scan = (from: string, name = `${HASH}-a`) => layOut([{ name, from }], { signal: NO_SIGNAL });
  await expect(scan(at('pipe'))).rejects.toThrow(
    `cannot read ${at('pipe')}: it is neither file, directory nor symlink`,
  );
  await expect(scan(at('nowhere'))).rejects.toThrow(`cannot read ${at('nowhere')}: no such file or folder`);
  await expect(scan(at('one'), 'a/b')).rejects.toThrow('a/b is not a valid name of a store path');
});

test('a cancelled run ends', async () => {
  const controller = new AbortController();
  const trees = await layOut(await entriesIn(at('one')), { signal: controller.signal });
  controller.abort();
  await expect(layOut(await entriesIn(at('one')), controller)).rejects.toThrow();
  await using file = await open(at('cancelled.erofs'), 'w+');
  const erofs = { trees, positions: placeTrees(trees, { limit: 1000 }), identity: IDENTITY };
  await expect(writeErofs({ file, path: 'x', start: 0 }, erofs, controller)).rejects.toThrow();
});
