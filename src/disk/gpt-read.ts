import { crc32 } from 'node:zlib';
import type { Disk } from './disk.ts';
import { diskDamage } from './disk-damage.ts';
import { GPT, type Partition, type PartitionTable, SECTOR } from './gpt.ts';
import { GUID_BYTES, guidText } from './guid.ts';

/** What tables are read from. */
export type TableDisk = Pick<Disk, 'path' | 'size' | 'read'>;

/** Bytes of a list of entries at most: 64 times what every tool writes. */
const MOST_ENTRY_BYTES = 1024 * 1024;

/** A header and the partitions of its entries, which both have the checksums that they say. Offsets are in bytes. */
export interface StoredTable {
  readonly table: PartitionTable;
  /** The sector of the header, and the bytes of the header in it that are summed. */
  readonly header: Buffer;
  readonly headerBytes: number;
  /** Where the other header is, by this one. */
  readonly other: number;
  readonly entriesOffset: number;
  readonly entries: Buffer;
  /** Partitions lie from here up to there. */
  readonly usable: readonly [start: number, end: number];
}

const UNUSED = '00000000-0000-0000-0000-000000000000';

const MADE_FOR_UEFI = 'A disk that UEFI boots needs a GUID partition table; sfdisk and sgdisk write one.';

/** Bytes from a count of sectors, which is beyond every disk where it is beyond what a number can say. */
const bytesOf = (sectors: bigint): number => Number(sectors) * SECTOR;

async function readSector(disk: TableDisk, offset: number): Promise<Buffer> {
  const bytes = Buffer.alloc(SECTOR);
  await disk.read(bytes, offset);
  return bytes;
}

/** Whether a header begins at `offset`, whatever else is wrong with it. */
export async function hasGpt(disk: TableDisk, offset: number = SECTOR): Promise<boolean> {
  if (offset + SECTOR > disk.size) return false;
  return (await readSector(disk, offset)).toString('latin1', 0, GPT.signature.length) === GPT.signature;
}

/**
 * The table of the header at `offset`, which is the first one's place by default. Throws UserError `file` that names structure and offset for
 * what UEFI 2.10, section 5.3, does not allow: signature, checksums, places; the partitions themselves are not looked at.
 */
export async function readTable(disk: TableDisk, offset: number = SECTOR): Promise<StoredTable> {
  const { path, size } = disk;
  const structure = offset === SECTOR ? 'the GPT header' : 'the backup GPT header';
  const wrong = (what: string, at = 0) => diskDamage({ path, structure, offset: offset + at, what });
  if (offset + SECTOR > size) throw wrong(`is after the end of the disk at byte ${size}`);
  const header = await readSector(disk, offset);
  if (header.toString('latin1', 0, 8) !== GPT.signature) {
    const what = `does not begin with ${GPT.signature}`;
    throw diskDamage({ path, structure, offset, what, ...(offset === SECTOR ? { hint: MADE_FOR_UEFI } : {}) });
  }
  const headerBytes = header.readUInt32LE(12);
  if (headerBytes < GPT.headerBytes || headerBytes > SECTOR)
    throw wrong(`names ${headerBytes} bytes as its length`, 12);
  const summed = Buffer.from(header.subarray(0, headerBytes));
  summed.writeUInt32LE(0, 16);
  checkCrc(header.readUInt32LE(16), summed, wrong);
  const own = bytesOf(header.readBigUInt64LE(24));
  if (own !== offset) throw wrong(`says that it is at byte ${own}`, 24);
  const entriesOffset = bytesOf(header.readBigUInt64LE(72));
  const [count, entryBytes] = [header.readUInt32LE(80), header.readUInt32LE(84)];
  if (entryBytes < GPT.entryBytes || entryBytes % 8 !== 0 || count === 0 || count * entryBytes > MOST_ENTRY_BYTES) {
    throw wrong(`names ${count} entries of ${entryBytes} bytes`, 80);
  }
  if (entriesOffset < SECTOR || entriesOffset + count * entryBytes > size) {
    throw wrong(`names entries at byte ${entriesOffset}, outside a disk of ${size}`, 72);
  }
  const entries = Buffer.alloc(count * entryBytes);
  await disk.read(entries, entriesOffset);
  const list = `the entries of ${structure}`;
  checkCrc(header.readUInt32LE(88), entries, (what) =>
    diskDamage({ path, structure: list, offset: entriesOffset, what }),
  );
  const usable = [bytesOf(header.readBigUInt64LE(40)), bytesOf(header.readBigUInt64LE(48)) + SECTOR] as const;
  const table = { uuid: guidText(header, 56), partitions: partitionsOf(entries, entryBytes) };
  return { table, header, headerBytes, other: bytesOf(header.readBigUInt64LE(32)), entriesOffset, entries, usable };
}

function checkCrc(said: number, bytes: Buffer, wrong: (what: string) => Error): void {
  const is = crc32(bytes);
  if (said !== is) throw wrong(`has the checksum ${is.toString(16)}, not ${said.toString(16)} as it says`);
}

function partitionsOf(entries: Buffer, entryBytes: number): readonly Partition[] {
  const partitions: Partition[] = [];
  for (let at = 0; at < entries.length; at += entryBytes) {
    const type = guidText(entries, at);
    if (type === UNUSED) continue;
    const offset = bytesOf(entries.readBigUInt64LE(at + 32));
    const nameAt = at + GPT.nameOffset;
    const [name = ''] = entries.toString('utf16le', nameAt, nameAt + GPT.nameUnits * 2).split('\0');
    partitions.push({
      type,
      uuid: guidText(entries, at + GUID_BYTES),
      name,
      offset,
      length: bytesOf(entries.readBigUInt64LE(at + 40)) + SECTOR - offset,
      attributes: entries.readBigUInt64LE(at + 48),
    });
  }
  return partitions;
}

/**
 * Reads a table that is whole: both headers and lists of entries, which say the same, the backup at the disk's end. Throws UserError
 * `file` that names structure and offset, and says what to do about a backup that is missing, cut off, or left behind by a
 * disk that has grown.
 */
export async function readGpt(disk: TableDisk): Promise<StoredTable> {
  const { path, size } = disk;
  const first = await readTable(disk);
  const end = size - SECTOR;
  const structure = 'the backup GPT header';
  if (first.other > end) {
    const what = `is cut off: the disk ends at byte ${size}`;
    throw diskDamage({ path, structure, offset: first.other, what });
  }
  if (first.other < end) {
    const what = `is not at the end of the disk, at byte ${end}: the disk has grown, or bytes follow it`;
    const hint = `Move it: sgdisk --move-second-header ${path}`;
    throw diskDamage({ path, structure, offset: first.other, what, hint });
  }
  if (!(await hasGpt(disk, end))) {
    const hint = `Write it again from the first one: sgdisk --move-second-header ${path}`;
    throw diskDamage({ path, structure, offset: end, what: 'is missing', hint });
  }
  const backup = await readTable(disk, end);
  const differs = (what: string) => diskDamage({ path, structure, offset: end, what });
  if (backup.other !== SECTOR) throw differs(`says that the first header is at byte ${backup.other}`);
  if (backup.table.uuid !== first.table.uuid)
    throw differs(`names the disk ${backup.table.uuid}, not ${first.table.uuid}`);
  if (backup.entriesOffset < first.usable[1]) {
    throw differs(`names entries at byte ${backup.entriesOffset}, which are not its own`);
  }
  if (!backup.entries.equals(first.entries)) throw differs('has other entries than the first one');
  if (first.entries.length + first.entriesOffset > first.usable[0]) {
    const what = `lets partitions begin at byte ${first.usable[0]}, before its entries end`;
    throw diskDamage({ path, structure: 'the GPT header', offset: SECTOR, what });
  }
  return first;
}
