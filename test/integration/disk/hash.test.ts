import { createHash } from 'node:crypto';
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BLOCK_BYTES, type BlockList, diskIdentity } from '../../../src/disk/block-list.ts';
import { DiskThreads } from '../../../src/disk/disk-threads.ts';
import { hashBlocks } from '../../../src/disk/hash-blocks.ts';
import { openDisk, reopenDisk } from '../../../src/disk/open-disk.ts';
import { diskTools, noise, ownProgram, qemuImg, writeDisk } from '../../support/disks.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

// Seconds: a second thread starts from 64 MiB of data on, which are hashed four times.
const MIB = 1024 * 1024;
// Its last block is short.
const SIZE = 72 * MIB + 512;

let dir: TempDir;
let raw: string;

beforeAll(async () => {
  dir = await uniqueTempDir('disk-hash');
  raw = join(dir.path, 'disk.raw');
  await writeDisk(raw, SIZE, [
    [0, noise(MIB, 1)],
    // Blocks enough for two threads; parts of them are zeros that are written.
    [3 * MIB + 4096, Buffer.concat([noise(MIB, 2), Buffer.alloc(2 * MIB)])],
    [8 * MIB, Buffer.alloc(62 * MIB, 'bytes that repeat at an odd length')],
    [SIZE - 100, noise(100, 3)],
  ]);
});

afterAll(() => dir.remove());

async function hashed(path: string, width: number): Promise<BlockList> {
  const threads = new DiskThreads(ownProgram, width);
  const disk = await openDisk(path, diskTools);
  try {
    return await hashBlocks(disk, threads);
  } finally {
    await disk.close();
    await threads.close();
  }
}

test('digests are those of the bytes, block by block, whatever the number of threads and the format', async () => {
  const bytes = await readFile(raw);
  const expected = Buffer.concat(
    Array.from({ length: Math.ceil(SIZE / BLOCK_BYTES) }, (_, at) =>
      createHash('sha256')
        .update(bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES))
        .digest(),
    ),
  );
  const one = await hashed(raw, 1);
  expect(one.size).toBe(SIZE);
  expect(Buffer.from(one.digests).equals(expected)).toBe(true);
  const qcow2 = join(dir.path, 'disk.qcow2');
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, qcow2);
  for (const [path, width] of [
    [raw, 2],
    [qcow2, 2],
  ] as const) {
    expect(diskIdentity(await hashed(path, width))).toBe(diskIdentity(one));
  }
});

/** Bytes that this process has asked the system to read, on all its threads. */
async function bytesRead(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1]);
}

test('what is read is in proportion to the data, not to the size', async () => {
  const path = join(dir.path, 'large.raw');
  await writeDisk(path, 64 * 1024 * MIB, [
    [0, noise(4096, 1)],
    [40 * 1024 * MIB, noise(4096, 2)],
  ]);
  // Once before, so that the program's own files are not counted.
  await hashed(path, 1);
  const before = await bytesRead();
  const { digests } = await hashed(path, 1);
  // Two blocks, and the program that a thread reads.
  expect((await bytesRead()) - before).toBeLessThan(8 * MIB);
  expect(new Set(Buffer.from(digests).toString('hex').match(/.{64}/g)).size).toBe(3);
});

test('the tables of a qcow2 are walked once, not by every thread', async () => {
  const path = join(dir.path, 'tables.qcow2');
  // 32 tables of 64 KiB, and no data in them.
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'preallocation=metadata', path, '16G');
  const reading = async (open: () => Promise<{ close(): Promise<void> }>): Promise<number> => {
    const before = await bytesRead();
    await (await open()).close();
    return (await bytesRead()) - before;
  };
  expect(await reading(() => openDisk(path, diskTools))).toBeGreaterThan(2 * MIB);
  expect(await reading(() => reopenDisk(path))).toBeLessThan(MIB / 4);
});

test('a disk that is cut while it is hashed is an error that says where, on every thread', async () => {
  const path = join(dir.path, 'cut.raw');
  await writeDisk(path, 150 * MIB, []);
  const disk = await openDisk(path, { ...diskTools, extents: [{ offset: 0, length: 150 * MIB }] });
  await truncate(path, 100 * MIB);
  const threads = new DiskThreads(ownProgram, 2);
  await expect(hashBlocks(disk, threads)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(/^\S+: the disk at byte \d+ is cut off: the file ends at byte 104857600$/),
  });
  await disk.close();
  await threads.close();
});
