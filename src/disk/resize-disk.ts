import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { UserError } from '../core/error.ts';
import { type WritableFile, writeFully } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import type { Disk } from './disk.ts';
import { notReadable } from './disk-damage.ts';
import { SECTOR } from './gpt.ts';
import { hasGpt, readTable, type StoredTable } from './gpt-read.ts';

const GIB = 1024 ** 3;

/** Type of the partition by which an MBR says that the disk has a GPT. */
const PROTECTIVE = 0xee;

/**
 * @internal Makes a raw disk `gib` GiB long (default: the next whole GiB, since volumes have no other sizes), by a hole at its end, and moves the backup
 * of its GPT there. Partitions stay as they are, with their numbers; the last one grows when the disk runs. Resolves with the new size in
 * bytes. Throws UserError `file` for a size that is smaller than the disk, for another format, and for a table that is damaged.
 */
export async function resizeDisk(disk: Disk, gib: number = Math.ceil(disk.size / GIB)): Promise<number> {
  const { path } = disk;
  const size = gib * GIB;
  if (disk.format !== 'raw') throw notReadable(path, `a disk in the format ${disk.format} cannot be resized`);
  if (size < disk.size) {
    throw new UserError('file', `cannot make ${path} ${gib} GiB long: it has ${disk.size} bytes, more than ${size}`, {
      hint: `State ${Math.ceil(disk.size / GIB)} GiB or more; disks are not made smaller.`,
    });
  }
  const stored = (await hasGpt(disk)) ? await readTable(disk) : undefined;
  if (size === disk.size && (stored === undefined || stored.other === size - SECTOR)) return size;
  const mbr = Buffer.alloc(SECTOR);
  await disk.read(mbr, 0);
  const hasOld = stored !== undefined && stored.other !== size - SECTOR && (await hasGpt(disk, stored.other));
  await withFileErrors(path, 'write', async () => {
    await using file = await open(path, 'r+');
    await file.truncate(size);
    if (stored === undefined) return;
    await moveBackup(file, stored, size);
    if (isProtective(mbr)) {
      mbr.writeUInt32LE(Math.min(size / SECTOR - 1, 0xffff_ffff), 446 + 12);
      await writeFully(file, mbr, 0);
    }
    // What is left of the backup would be taken for one by tools that look for it.
    if (hasOld) await writeFully(file, Buffer.alloc(SECTOR), stored.other);
    await file.sync();
  });
  return size;
}

/** One partition that says it is all of the disk; a hybrid MBR has others, which stay as they are. */
const isProtective = (mbr: Buffer): boolean =>
  mbr[446 + 4] === PROTECTIVE && mbr.subarray(446 + 16, 510).every((byte) => byte === 0);

/** The entries are written as they are: numbers of partitions have gaps at times, and tools their own fields. */
async function moveBackup(file: WritableFile, stored: StoredTable, size: number): Promise<void> {
  const { entries, header, headerBytes } = stored;
  const last = size / SECTOR - 1;
  const entriesSector = last - Math.ceil(entries.length / SECTOR);
  const summed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(header);
    change(bytes);
    bytes.writeBigUInt64LE(BigInt(entriesSector - 1), 48);
    bytes.writeUInt32LE(0, 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, headerBytes)), 16);
    return bytes;
  };
  const backup = summed((bytes) => {
    bytes.writeBigUInt64LE(BigInt(last), 24);
    bytes.writeBigUInt64LE(1n, 32);
    bytes.writeBigUInt64LE(BigInt(entriesSector), 72);
  });
  const first = summed((bytes) => bytes.writeBigUInt64LE(BigInt(last), 32));
  // The first header last: until then the disk is as it was.
  await writeFully(file, entries, entriesSector * SECTOR);
  await writeFully(file, backup, last * SECTOR);
  await writeFully(file, first, SECTOR);
}
