import { checkUnpacked } from '../core/unpack-limit.ts';
import type { Disk } from './disk.ts';
import { diskDamage, notReadable } from './disk-damage.ts';
import { type DiskFile, truncated } from './disk-file.ts';
import { dataBytes, ExtentList } from './extent.ts';
import { SECTOR } from './gpt.ts';

/** Microsoft's "Virtual Hard Disk Image Format Specification", 1.0. All numbers are big-endian. */
const COOKIE = 'conectix';
const FOOTER_BYTES = 512;
const HEADER_COOKIE = 'cxsparse';
const HEADER_BYTES = 1024;
const TYPE = { fixed: 2, dynamic: 3, differencing: 4 } as const;

/** A block of which the table says this is all zeros. */
const UNUSED = 0xffff_ffff;

/** Blocks of the largest VHD there is (2040 GiB of 2 MiB), and some more: a table of 16 MiB. */
const MOST_BLOCKS = 2 ** 22;

interface Footer {
  readonly size: number;
  readonly type: number;
  readonly dataOffset: bigint;
}

const isFooter = (bytes: Buffer): boolean => bytes.subarray(0, 8).equals(Buffer.from(COOKIE));

/** The ones' complement of the sum of all bytes, those of the checksum itself left out. */
function checksum(bytes: Buffer, at: number): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) if (index < at || index >= at + 4) sum += byte;
  return ~sum >>> 0;
}

function checkSum(bytes: Buffer, at: number, where: { path: string; structure: string; offset: number }): void {
  const [said, is] = [bytes.readUInt32BE(at), checksum(bytes, at)];
  if (said !== is)
    throw diskDamage({ ...where, what: `has the checksum ${said.toString(16)}, not ${is.toString(16)}` });
}

function readFooter(bytes: Buffer, path: string, offset: number): Footer {
  checkSum(bytes, 64, { path, structure: 'the VHD footer', offset });
  // The geometry would say less: Hyper-V, Azure and EC2 take this size.
  const size = Number(bytes.readBigUInt64BE(48));
  if (size === 0 || size % SECTOR !== 0) {
    throw diskDamage({
      path,
      structure: 'the VHD footer',
      offset,
      what: `names a disk of ${size} bytes, not whole sectors`,
    });
  }
  return { size, type: bytes.readUInt32BE(60), dataOffset: bytes.readBigUInt64BE(16) };
}

/**
 * The disk in a VHD of fixed or dynamic size; undefined for a file that is none, by its footer. The bitmaps of blocks are not looked
 * at, as qemu does not: a block that is there is whole. Throws UserError `file`, which names structure and offset, for a damaged one,
 * and for one that is a difference to another disk.
 */
export async function openVhd(file: DiskFile): Promise<Disk | undefined> {
  const { path } = file;
  if (file.size < FOOTER_BYTES) return undefined;
  const offset = file.size - FOOTER_BYTES;
  const bytes = await file.bytes(offset, FOOTER_BYTES, 'the VHD footer');
  if (!isFooter(bytes)) {
    const start = await file.bytes(0, 8, 'the copy of the VHD footer');
    if (!isFooter(start)) return undefined;
    // Virtual PC before 2004 wrote 511 bytes.
    if (isFooter(bytes.subarray(1))) throw notReadable(path, 'its VHD footer has 511 bytes');
    throw diskDamage({
      path,
      structure: 'the VHD footer',
      offset,
      what: 'is missing, though its copy is at the start',
    });
  }
  const footer = readFooter(bytes, path, offset);
  if (footer.type === TYPE.fixed) return fixedDisk(file, footer);
  if (footer.type === TYPE.dynamic) return dynamicDisk(file, footer);
  if (footer.type === TYPE.differencing) {
    throw notReadable(path, 'it is a differencing VHD, which holds the changes to another disk');
  }
  throw notReadable(path, `its VHD footer names the disk type ${footer.type}`);
}

function fixedDisk(file: DiskFile, { size }: Footer): Disk {
  const { path } = file;
  if (size > file.size - FOOTER_BYTES) {
    throw truncated(path, `the fixed VHD of ${size} bytes`, { offset: 0, end: file.size });
  }
  return {
    format: 'vhd',
    path,
    size,
    // The caller finds holes in the file, which lie where those of the disk do.
    extents: [{ offset: 0, length: size }],
    fd: file.fd,
    read: (into, position) => readWithin(into, position, { size, path }, () => file.read(into, position, 'the disk')),
    close: () => file.close(),
  };
}

async function readWithin(
  into: Uint8Array,
  position: number,
  { size, path }: { readonly size: number; readonly path: string },
  read: () => Promise<void>,
): Promise<void> {
  if (position + into.length > size) throw truncated(path, 'the disk', { offset: position, end: size });
  return read();
}

async function dynamicDisk(file: DiskFile, { size, dataOffset }: Footer): Promise<Disk> {
  const { path } = file;
  const structure = 'the dynamic VHD header';
  const headerAt = Number(dataOffset);
  if (headerAt > file.size) throw truncated(path, structure, { offset: headerAt, end: file.size });
  const header = await file.bytes(headerAt, HEADER_BYTES, structure);
  const wrong = (what: string) => diskDamage({ path, structure, offset: headerAt, what });
  if (header.toString('latin1', 0, 8) !== HEADER_COOKIE) throw wrong(`does not begin with ${HEADER_COOKIE}`);
  checkSum(header, 36, { path, structure, offset: headerAt });
  const tableAt = Number(header.readBigUInt64BE(16));
  const entries = header.readUInt32BE(28);
  const blockBytes = header.readUInt32BE(32);
  if (blockBytes < SECTOR || (blockBytes & (blockBytes - 1)) !== 0) throw wrong(`names blocks of ${blockBytes} bytes`);
  const blocks = Math.ceil(size / blockBytes);
  if (blocks > entries) throw wrong(`names ${entries} blocks of ${blockBytes} bytes for a disk of ${size}`);
  if (blocks > MOST_BLOCKS) throw wrong(`names more than ${MOST_BLOCKS} blocks`);
  if (tableAt > file.size) throw truncated(path, 'the VHD block table', { offset: tableAt, end: file.size });
  const table = await file.bytes(tableAt, blocks * 4, 'the VHD block table');
  const bitmapBytes = Math.ceil(blockBytes / SECTOR / 8 / SECTOR) * SECTOR;
  const sectorOf = (block: number): number => table.readUInt32BE(block * 4);
  const extents = new ExtentList(size);
  for (let block = 0; block < blocks; block += 1) {
    if (sectorOf(block) === UNUSED) continue;
    const offset = block * blockBytes;
    const length = Math.min(blockBytes, size - offset);
    const end = sectorOf(block) * SECTOR + bitmapBytes + length;
    if (end > file.size) {
      const what = `says that block ${block} ends at byte ${end}, after the end of the file at ${file.size}`;
      throw diskDamage({ path, structure: 'the VHD block table', offset: tableAt + block * 4, what });
    }
    extents.add(offset, length);
  }
  checkUnpacked(path, file.size, dataBytes(extents.all()));
  return {
    format: 'vhd',
    path,
    size,
    extents: extents.all(),
    read: (into, position) =>
      readWithin(into, position, { size, path }, async () => {
        for (let at = 0; at < into.length; ) {
          const block = Math.floor((position + at) / blockBytes);
          const within = (position + at) % blockBytes;
          const part = into.subarray(at, at + blockBytes - within);
          if (sectorOf(block) === UNUSED) part.fill(0);
          else await file.read(part, sectorOf(block) * SECTOR + bitmapBytes + within, `block ${block} of the VHD`);
          at += part.length;
        }
      }),
    close: () => file.close(),
  };
}
