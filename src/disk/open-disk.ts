import type { Effects } from '../core/effects.ts';
import type { Disk } from './disk.ts';
import { notReadable } from './disk-damage.ts';
import { type DiskFile, openFile } from './disk-file.ts';
import { checkDiskSize } from './disk-limit.ts';
import { type Extent, extentEnd } from './extent.ts';
import { openQcow2 } from './qcow2.ts';
import { rawDisk } from './raw-disk.ts';
import { sparseMap } from './sparse-map.ts';
import { openVhd } from './vhd.ts';

/** Formats that are known by their first bytes and not read. */
const OTHERS: readonly (readonly [start: string, name: string])[] = [
  ['vhdxfile', 'VHDX'],
  ['KDMV', 'VMDK'],
  ['COWD', 'VMDK'],
  ['# Disk DescriptorFile', 'VMDK, and only its description'],
  ['<<< ', 'VDI'],
  ['QED\0', 'QED'],
  ['WithoutFreeSpace', 'Parallels'],
  ['WithouFreSpacExt', 'Parallels'],
];

const PACKED: readonly (readonly [start: string, name: string, program: string])[] = [
  ['\x1f\x8b', 'gzip', 'gunzip'],
  ['\x28\xb5\x2f\xfd', 'zstd', 'unzstd'],
  ['\xfd7zXZ\0', 'xz', 'unxz'],
  ['BZh', 'bzip2', 'bunzip2'],
];

async function refuseOthers(file: DiskFile): Promise<void> {
  const start = (await file.bytes(0, Math.min(24, file.size), 'the disk')).toString('latin1');
  const other = OTHERS.find(([magic]) => start.startsWith(magic));
  if (other) throw notReadable(file.path, `it is in the format ${other[1]}`);
  const packed = PACKED.find(([magic]) => start.startsWith(magic));
  if (packed) throw notReadable(file.path, `it is packed with ${packed[1]}`, `Unpack it: ${packed[2]} FILE`);
}

/** @internal */
export interface OpenDiskOptions extends Pick<Effects, 'exec' | 'signal'> {
  /** Where data may be, for who knows it: a raw disk's maker. Default: what its format or the file system says. */
  readonly extents?: readonly Extent[] | undefined;
}

/**
 * Opens a disk: VHD by its footer, qcow2 by its first bytes, raw where it is neither. Throws UserError `file` for what cannot be
 * read: no file, damage (with structure and offset), features and formats that are not read (by name).
 */
export async function openDisk(path: string, { extents, ...tools }: OpenDiskOptions): Promise<Disk> {
  const file = await openFile(path);
  return closingOnFailure(file, async () => {
    const disk = await diskIn(file);
    checkDiskSize(path, disk.size);
    // The file's holes are those of the disk, where it is one byte for byte.
    if (extents === undefined && disk.fd === undefined) return disk;
    return { ...disk, extents: within(extents ?? (await sparseMap(path, file.size, tools)), disk.size) };
  });
}

const within = (extents: readonly Extent[], size: number): readonly Extent[] =>
  extents
    .filter(({ offset }) => offset < size)
    .map((extent) => ({ offset: extent.offset, length: Math.min(extentEnd(extent), size) - extent.offset }));

/** The same disk once more, on another thread, which is told what it is to read: its extents are not looked for. */
export async function reopenDisk(path: string): Promise<Omit<Disk, 'extents'>> {
  const file = await openFile(path);
  return closingOnFailure(file, () => diskIn(file, []));
}

async function diskIn(file: DiskFile, known?: readonly Extent[]): Promise<Disk> {
  const disk = (await openQcow2(file, known)) ?? (await openVhd(file));
  if (disk) return disk;
  await refuseOthers(file);
  return rawDisk(file, [{ offset: 0, length: file.size }]);
}

async function closingOnFailure<T>(file: DiskFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await file.close();
    throw error;
  }
}
