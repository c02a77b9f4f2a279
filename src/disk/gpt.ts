import { crc32 } from 'node:zlib';
import { type WritableFile, writeFully } from '../core/file-bytes.ts';
import { GUID_BYTES, guidBytes } from './guid.ts';

/** Bytes of a sector. Disks for EC2, and every raw image there is, have this size, whatever a drive says of itself. */
export const SECTOR = 512;

/** Where partitions begin and end: what fdisk, parted and systemd-repart align to, and every drive's pages divide. */
export const ALIGNMENT = 1024 * 1024;

/** Types of partitions. */
export const PARTITION_TYPE = {
  /** EFI system partition. */
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  /** Data of Linux, without a meaning to systemd. */
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  /** A root that systemd's generator finds, for x86-64 and for AArch64 (Discoverable Partitions Specification). */
  rootX64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  rootArm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
} as const;

/** A partition; offset and length are in bytes. */
export interface Partition {
  /** GUIDs as text. */
  readonly type: string;
  readonly uuid: string;
  /** 36 UTF-16 units at most. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** The 64 bits of attributes; bit 0 is "required", bit 2 "legacy BIOS bootable". Default: none. */
  readonly attributes?: bigint;
}

/** A partition table; partitions stand in the order of their numbers. */
export interface PartitionTable {
  readonly uuid: string;
  readonly partitions: readonly Partition[];
}

/** Bytes at a place of a disk. */
interface Placement {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The layout that UEFI 2.10, section 5.3, asks for: 128 entries of 128 bytes, 92 bytes of header. */
export const GPT = {
  signature: 'EFI PART',
  revision: 0x0001_0000,
  headerBytes: 92,
  entryBytes: 128,
  entries: 128,
  nameOffset: 56,
  nameUnits: 36,
} as const;

const ENTRIES_SECTORS = (GPT.entries * GPT.entryBytes) / SECTOR;

/** Bytes at the beginning of a disk that its table takes (protective MBR, header, entries), and at its end (entries, header). */
export const GPT_START_BYTES = (2 + ENTRIES_SECTORS) * SECTOR;
export const GPT_END_BYTES = (1 + ENTRIES_SECTORS) * SECTOR;

/** The longest disk that the protective MBR can tell whole, in sectors; longer ones say this much (UEFI 2.10, table 5.4). */
const MBR_MOST = 0xffff_ffff;

/** One partition of type EE over the whole disk, so that tools which know no GPT leave it alone. */
function protectiveMbr(sectors: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  const entry = bytes.subarray(446);
  // Begins at cylinder 0, head 0, sector 2; its end cannot be said in cylinders.
  entry.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]);
  entry.writeUInt32LE(1, 8);
  entry.writeUInt32LE(Math.min(sectors - 1, MBR_MOST), 12);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

function entriesOf(partitions: readonly Partition[]): Buffer {
  const bytes = Buffer.alloc(GPT.entries * GPT.entryBytes);
  partitions.forEach(({ type, uuid, name, offset, length, attributes = 0n }, at) => {
    const entry = bytes.subarray(at * GPT.entryBytes);
    entry.set(guidBytes(type), 0);
    entry.set(guidBytes(uuid), GUID_BYTES);
    entry.writeBigUInt64LE(BigInt(offset / SECTOR), 32);
    entry.writeBigUInt64LE(BigInt((offset + length) / SECTOR - 1), 40);
    entry.writeBigUInt64LE(attributes, 48);
    entry.set(Buffer.from(name, 'utf16le'), GPT.nameOffset);
  });
  return bytes;
}

interface HeaderFields {
  readonly uuid: string;
  readonly sectors: number;
  /** Sectors of this header, of the other one, and of the entries that belong to this one. */
  readonly own: number;
  readonly other: number;
  readonly entries: number;
  readonly entriesCrc: number;
}

function headerOf({ uuid, sectors, own, other, entries, entriesCrc }: HeaderFields): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.write(GPT.signature, 'latin1');
  bytes.writeUInt32LE(GPT.revision, 8);
  bytes.writeUInt32LE(GPT.headerBytes, 12);
  bytes.writeBigUInt64LE(BigInt(own), 24);
  bytes.writeBigUInt64LE(BigInt(other), 32);
  bytes.writeBigUInt64LE(BigInt(GPT_START_BYTES / SECTOR), 40);
  bytes.writeBigUInt64LE(BigInt(sectors - GPT_END_BYTES / SECTOR - 1), 48);
  bytes.set(guidBytes(uuid), 56);
  bytes.writeBigUInt64LE(BigInt(entries), 72);
  bytes.writeUInt32LE(GPT.entries, 80);
  bytes.writeUInt32LE(GPT.entryBytes, 84);
  bytes.writeUInt32LE(entriesCrc, 88);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, GPT.headerBytes)), 16);
  return bytes;
}

/**
 * @internal The bytes of a table on a disk of `size` bytes, the same for the same arguments: the start of the disk (protective MBR, header,
 * entries) and its end (entries, backup header). Throws RangeError for a table that no disk of that size can have: it comes
 * from our own code.
 */
export function gptPlacements(table: PartitionTable, size: number): readonly [start: Placement, end: Placement] {
  checkTable(table, size);
  const sectors = size / SECTOR;
  const entries = entriesOf(table.partitions);
  const common = { uuid: table.uuid, sectors, entriesCrc: crc32(entries) };
  const last = sectors - 1;
  const first = headerOf({ ...common, own: 1, other: last, entries: 2 });
  const backup = headerOf({ ...common, own: last, other: 1, entries: last - ENTRIES_SECTORS });
  return [
    { offset: 0, bytes: Buffer.concat([protectiveMbr(sectors), first, entries]) },
    { offset: size - GPT_END_BYTES, bytes: Buffer.concat([entries, backup]) },
  ];
}

function checkTable({ partitions }: PartitionTable, size: number): void {
  const wrong = (what: string): never => {
    throw new RangeError(`partition table of a disk of ${size} bytes: ${what}`);
  };
  if (size % SECTOR !== 0 || size < GPT_START_BYTES + GPT_END_BYTES) wrong('not a size that holds one');
  if (partitions.length > GPT.entries) wrong(`${partitions.length} partitions, of ${GPT.entries} at most`);
  let end = GPT_START_BYTES;
  for (const { name, offset, length } of [...partitions].sort((a, b) => a.offset - b.offset)) {
    if (name.length > GPT.nameUnits) wrong(`the name ${name} is longer than ${GPT.nameUnits}`);
    if (offset % SECTOR !== 0 || length % SECTOR !== 0 || length <= 0) wrong(`${name} is not whole sectors`);
    if (offset < end) wrong(`${name} begins at ${offset}, before ${end}`);
    end = offset + length;
  }
  if (end > size - GPT_END_BYTES) wrong(`partitions end at ${end}, after ${size - GPT_END_BYTES}`);
}

/**
 * Writes protective MBR, both headers and both lists of entries; equal tables give equal bytes. `size` is that of the whole disk in
 * bytes. Throws RangeError for a table that does not fit the disk, and what the file system refuses.
 */
export async function writeGpt(file: WritableFile, table: PartitionTable, size: number): Promise<void> {
  for (const { offset, bytes } of gptPlacements(table, size)) await writeFully(file, bytes, offset);
}
