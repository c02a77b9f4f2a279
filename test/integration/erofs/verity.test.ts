// veritysetup says what a hash tree is; it needs no root for files, and some 20 ms for each.
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BlockRun, usedRuns } from '../../../src/erofs/positions.ts';
import { verityBlocks, writeVerity } from '../../../src/erofs/verity.ts';
import { chancesOf } from '../../support/chances.ts';
import { erofsFile, NO_SIGNAL } from '../../support/erofs.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
const at = (name: string): string => join(temp.path, name);
const SALT = 'aa55'.repeat(16);
const UUID = '6b1c2f6e-0d6f-4e6a-9a3a-2f1d5c0b9e77';

beforeAll(async () => {
  temp = await uniqueTempDir('verity');
});
afterAll(() => temp.remove());

/** A file of so many blocks, with something in the runs that are named and holes elsewhere. */
async function dataFile(path: string, blocks: number, used: readonly BlockRun[]): Promise<void> {
  const chance = chancesOf(blocks);
  await using file = await open(path, 'w');
  await file.truncate(blocks * 4096);
  for (const run of used) {
    const bytes = Buffer.alloc(run.blocks * 4096);
    for (let index = 0; index < bytes.length; index += 64) bytes.writeUInt32LE(Math.floor(chance() * 2 ** 32), index);
    await file.write(bytes, 0, bytes.length, run.block * 4096);
  }
}

async function hashed(data: string, hashes: string, blocks: number, used: readonly BlockRun[], start = 0) {
  await using from = await open(data, 'r');
  await using to = await open(hashes, 'w');
  const root = await writeVerity(
    { file: from, path: data, start: 0, blocks, used },
    { file: to, path: hashes, start },
    { identity: { salt: SALT, uuid: UUID }, signal: NO_SIGNAL },
  );
  await to.truncate(start + verityBlocks(blocks) * 4096);
  return root;
}

async function asVeritysetup(data: string, hashes: string): Promise<string> {
  const words = ['--hash=sha256', '--format=1', '--data-block-size=4096', '--hash-block-size=4096'];
  const all = ['format', data, hashes, `--salt=${SALT}`, `--uuid=${UUID}`, ...words];
  const { exitCode, stdout, stderr } = await runProgram(programPath('veritysetup'), all);
  expect([exitCode, stderr]).toEqual([0, '']);
  return /Root hash:\s+([0-9a-f]{64})/.exec(stdout)?.[1] ?? stdout;
}

const everywhere = (blocks: number): BlockRun[] => [{ block: 0, blocks }];

test.each<[number, readonly BlockRun[]]>([
  [2, everywhere(2)],
  [127, everywhere(127)],
  [128, everywhere(128)],
  [129, everywhere(129)],
  [1024, everywhere(1024)],
  [1025, everywhere(1025)],
  // Three levels; mostly holes, with data on both sides of where a part that is read begins.
  [
    16_384,
    [
      { block: 3, blocks: 2 },
      { block: 1020, blocks: 9 },
    ],
  ],
  [
    16_385,
    [
      { block: 0, blocks: 1 },
      { block: 5000, blocks: 1 },
      { block: 5001, blocks: 700 },
      { block: 16_384, blocks: 1 },
    ],
  ],
  [20_000, []],
])('the tree over %i blocks is the one of veritysetup, to the byte', async (blocks, used) => {
  const [data, ours, theirs] = [at(`${blocks}.data`), at(`${blocks}.ours`), at(`${blocks}.theirs`)];
  await dataFile(data, blocks, used);
  const root = await hashed(data, ours, blocks, used);
  expect(root).toBe(await asVeritysetup(data, theirs));
  const [mine, reference] = await Promise.all([readFile(ours), readFile(theirs)]);
  expect(mine.length).toBeGreaterThanOrEqual(reference.length);
  expect(mine.subarray(0, reference.length).equals(reference)).toBe(true);
});

test('veritysetup finds a file system unchanged, and a changed byte', async () => {
  await writeFile(at('file'), 'content'.repeat(2000));
  const store = at('disk');
  const positions = await erofsFile(store, [{ name: 'nix-path-registration', from: at('file') }]);
  const root = await hashed(store, at('disk.hashes'), positions.blocks, usedRuns(positions));
  const verify = () => runProgram(programPath('veritysetup'), ['verify', store, at('disk.hashes'), root]);
  expect(await verify()).toMatchObject({ exitCode: 0, stderr: '' });
  await using disk = await open(store, 'r+');
  await disk.write(Buffer.from('X'), 0, 1, (positions.paths[0]?.block ?? 0) * 4096 + 4096);
  expect((await verify()).exitCode).not.toBe(0);
});

test('it lies where it is told, in as many blocks as it says', async () => {
  await dataFile(at('moved.data'), 300, everywhere(300));
  await hashed(at('moved.data'), at('first'), 300, everywhere(300));
  await hashed(at('moved.data'), at('second'), 300, everywhere(300), 8192);
  const [first, second] = await Promise.all([readFile(at('first')), readFile(at('second'))]);
  expect(second.subarray(8192).equals(first)).toBe(true);
  expect((await stat(at('first'))).size).toBe(verityBlocks(300) * 4096);
  expect([1, 2, 128, 129, 16_384, 16_385].map(verityBlocks)).toEqual([1, 2, 2, 4, 130, 133]);
});

test('data that ends too early, a salt and a UUID that do not fit are errors', async () => {
  await dataFile(at('short'), 10, everywhere(10));
  await expect(hashed(at('short'), at('none'), 12, everywhere(12))).rejects.toThrow(
    `cannot read ${at('short')}: it ends at byte 40960`,
  );
  await using file = await open(at('none'), 'w+');
  const target = { file, path: 'disk.raw', start: 0 };
  const write = (identity: { salt: string; uuid: string }) =>
    writeVerity({ ...target, blocks: 2, used: [] }, target, { identity, signal: NO_SIGNAL });
  await expect(write({ salt: 'xyz', uuid: UUID })).rejects.toThrow('xyz is not a valid salt');
  await expect(write({ salt: 'aa'.repeat(257), uuid: UUID })).rejects.toThrow('is not a valid salt');
  await expect(write({ salt: SALT, uuid: 'abc' })).rejects.toThrow('abc is not a valid UUID');
});
