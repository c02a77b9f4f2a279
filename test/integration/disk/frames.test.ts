import { createHash } from 'node:crypto';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diskFrames, extentFrames } from '../../../src/disk/disk-frames.ts';
import { zstdFrameLength } from '../../../src/disk/frame-length.ts';
import { openDisk } from '../../../src/disk/open-disk.ts';
import { unpackDisk } from '../../../src/disk/unpack-disk.ts';
import { zeroFrames } from '../../../src/disk/zero-frames.ts';
import { diskTools, noise, writeDisk } from '../../support/disks.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

// Seconds: zstd, gzip and xz unpack 48 MiB each, a bomb is unpacked up to its limit, and a GiB of zeros is looked through.
const KIB = 1024;
const MIB = KIB * KIB;
const SIZE = 48 * MIB + 512;

let dir: TempDir;
let raw: string;
let sum: string;

const at = (name: string): string => join(dir.path, name);

const sumOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

beforeAll(async () => {
  dir = await uniqueTempDir('disk-frames');
  raw = at('disk.raw');
  await writeDisk(raw, SIZE, [
    [0, noise(100 * KIB, 1)],
    [3 * MIB + 4 * KIB, Buffer.from('text of a disk '.repeat(300_000))],
    [20 * MIB, noise(2 * MIB, 2)],
    [SIZE - 512, noise(512, 3)],
  ]);
  sum = await sumOf(raw);
});

afterAll(() => dir.remove());

async function all(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  // A codec's bytes are gone with the next step.
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

async function packed(path: string, options: Parameters<typeof diskFrames>[1] = { parallel: 2 }): Promise<Buffer> {
  const disk = await openDisk(path, diskTools);
  const bytes = await all(diskFrames(disk, options));
  await disk.close();
  return bytes;
}

const zstd = async (...args: readonly string[]) => {
  const { exitCode, stderr } = await runProgram(programPath('zstd'), ['-q', '-f', ...args]);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
};

test('zstd unpacks a disk with its holes, as we do, and the bytes are those that any number of threads makes', async () => {
  const bytes = await packed(raw);
  await writeFile(at('disk.zst'), bytes);
  await zstd('-d', '--sparse', at('disk.zst'), '-o', at('by-zstd.raw'));
  expect(await unpackDisk(at('disk.zst'), at('by-us.raw'), 'zstd', diskTools)).toBe(SIZE);
  for (const name of ['by-zstd.raw', 'by-us.raw']) {
    expect(await sumOf(at(name))).toBe(sum);
    expect((await stat(at(name))).blocks * 512).toBeLessThan(8 * MIB);
  }
  for (const parallel of [1, 3]) expect((await packed(raw, { parallel })).equals(bytes)).toBe(true);
});

test('where a file has holes makes no difference', async () => {
  await writeFile(at('full.raw'), await readFile(raw));
  expect((await packed(at('full.raw'))).equals(await packed(raw))).toBe(true);
});

test('pieces and frames for the holes between them are the whole, and a piece is the same wherever it lies', async () => {
  const piece = noise(1500 * KIB, 4);
  const path = at('pieces.raw');
  await writeDisk(path, 30 * MIB, [
    [2 * MIB, piece],
    [10 * MIB + 8 * KIB, piece],
    [12 * MIB, Buffer.from('small')],
  ]);
  const pieces = [
    { offset: 2 * MIB, length: 1500 * KIB },
    { offset: 10 * MIB + 8 * KIB, length: 1500 * KIB },
    { offset: 12 * MIB, length: 4 * KIB },
  ];
  const disk = await openDisk(path, diskTools);
  const [first, second, third] = await Promise.all(pieces.map((one) => all(extentFrames(disk, one, { parallel: 2 }))));
  await disk.close();
  expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
  const zeros = (length: number) => all(zeroFrames(length));
  const joined = Buffer.concat([
    await zeros(2 * MIB),
    first ?? Buffer.alloc(0),
    await zeros(8 * MIB + 8 * KIB - 1500 * KIB),
    second ?? Buffer.alloc(0),
    await zeros(2 * MIB - 8 * KIB - 1500 * KIB),
    third ?? Buffer.alloc(0),
    await zeros(18 * MIB - 4 * KIB),
  ]);
  expect((await packed(path, { parallel: 2, pieces })).equals(joined)).toBe(true);
  await writeFile(at('joined.zst'), joined);
  await zstd('-d', at('joined.zst'), '-o', at('joined.raw'));
  expect(await sumOf(at('joined.raw'))).toBe(await sumOf(path));
});

test.each([
  1,
  2,
  128 * KIB,
  128 * KIB + 1,
  128 * KIB + 2,
  5 * MIB - 1,
])('%i zeros are what zstd reads', async (length) => {
  const bytes = await all(zeroFrames(length));
  expect(zstdFrameLength(bytes)).toBe(bytes.length);
  await writeFile(at('zeros.zst'), bytes);
  await zstd('-d', at('zeros.zst'), '-o', at('zeros'));
  expect((await readFile(at('zeros'))).equals(Buffer.alloc(length))).toBe(true);
});

test('3 GiB of zeros take less than 100 KiB', async () => {
  let bytes = 0;
  for (const frame of zeroFrames(3 * 1024 ** 3 + 5)) bytes += frame.length;
  expect(bytes).toBeLessThan(100 * KIB);
});

test.for([
  ['gzip', 'gz'],
  ['xz', 'xz'],
] as const)('a disk in %s is unpacked with holes', async ([packing, extension]) => {
  const file = at(`disk.${extension}`);
  const { stdout } = { stdout: await readFile(raw) };
  if (packing === 'gzip') await writeFile(file, gzipSync(stdout));
  else expect((await runProgram('xz', ['-1', '--keep', raw])).exitCode).toBe(0);
  const path = packing === 'gzip' ? file : `${raw}.xz`;
  expect(await unpackDisk(path, at(`from-${packing}`), packing, diskTools)).toBe(SIZE);
  expect(await sumOf(at(`from-${packing}`))).toBe(sum);
  expect((await stat(at(`from-${packing}`))).blocks * 512).toBeLessThan(8 * MIB);
  // Cut off, and nothing is left behind.
  await truncate(path, (await stat(path)).size - 100);
  await expect(unpackDisk(path, at('cut'), packing, diskTools)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringContaining(`${path}: the ${packing} file at byte 0 cannot be unpacked: `),
  });
  await expect(stat(at('cut'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what is packed to fill a disk is refused, and a disk of much zeros is not', async () => {
  const bomb = Buffer.from('28b52ffdc038', 'hex');
  const size = Buffer.alloc(8);
  const blocks = 5000;
  size.writeBigUInt64LE(BigInt(blocks * 128 * KIB));
  const block = Buffer.alloc(4);
  block.writeUIntLE(((128 * KIB) << 3) | 2, 0, 3);
  block[3] = 1;
  const last = Buffer.from(block);
  last[0] = (last[0] ?? 0) | 1;
  const body = Array.from({ length: blocks - 1 }, () => block);
  await writeFile(at('bomb.zst'), Buffer.concat([bomb, size, ...body, last]));
  await expect(unpackDisk(at('bomb.zst'), at('bomb'), 'zstd', diskTools)).rejects.toThrow('unpacks to more than');
  await writeFile(at('zeros.zst'), await all(zeroFrames(1024 ** 3)));
  expect(await unpackDisk(at('zeros.zst'), at('zeros.raw'), 'zstd', diskTools)).toBe(1024 ** 3);
  expect((await stat(at('zeros.raw'))).blocks).toBeLessThan(64);
});

test('a packed disk that this file system has no room for is refused before anything is written', async () => {
  const packed = (await stat(at('disk.zst'))).size;
  const unpack = (free: number, copies: number) =>
    unpackDisk(at('disk.zst'), at('no-room'), 'zstd', { ...diskTools, room: { free: async () => free, copies } });
  await expect(unpack(packed * 2 - 1, 2)).rejects.toThrow(
    /^no space for unpacking .*disk\.zst: .* are needed at .*no-room/,
  );
  await expect(stat(at('no-room'))).rejects.toThrow('ENOENT');
  expect(await unpack(packed, 1)).toBe(SIZE);
});

test('a file that is there is not written over', async () => {
  await writeFile(at('there'), 'mine');
  await expect(unpackDisk(at('disk.zst'), at('there'), 'zstd', diskTools)).rejects.toThrow('it already exists');
  await using file = await open(at('there'));
  expect((await file.readFile()).toString()).toBe('mine');
});
