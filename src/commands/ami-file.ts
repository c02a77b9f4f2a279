import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import { checkDisk } from '../disk/check-disk.ts';
import type { Disk } from '../disk/disk.ts';
import { DiskThreads } from '../disk/disk-threads.ts';
import { PARTITION_TYPE } from '../disk/gpt.ts';
import { hasGpt, readGpt } from '../disk/gpt-read.ts';
import { hashDisk } from '../disk/hash-disk.ts';
import { openDisk } from '../disk/open-disk.ts';
import { DISK_PACKINGS, unpackDisk } from '../disk/unpack-disk.ts';
import type { Host } from '../host/host.ts';
import type { BootMode } from '../oci/disk-artifact.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import type { AmiDisk } from './ami-disk.ts';

/** A file that is to be deployed, and the system that it is said to boot. */
export interface DiskFileLine {
  readonly kind: 'file';
  readonly path: string;
  readonly system: System | undefined;
}

/** Threads that hash: beyond four the file system is what one waits for. */
const MOST_THREADS = 4;

/** Threads of this program for disks. */
export const openDiskThreads = ({ program }: Pick<Host, 'program'>) =>
  new DiskThreads(program, Math.min(availableParallelism(), MOST_THREADS));

/**
 * Opens a disk in a file: raw, VHD or qcow2, packed or not. Reads and hashes all of it. Throws UserError `file` for what is no disk, cannot be read, or
 * boots another system.
 */
export async function fileDisk(
  { path: given, system: said }: DiskFileLine,
  asked: BootMode | undefined,
  host: Host,
): Promise<AmiDisk> {
  const { exec, signal, log } = host;
  const path = await unpacked(resolve(host.cwd, given), host);
  const disk = await openDisk(path, { exec, signal });
  try {
    const bootMode = asked ?? (await bootModeOf(disk));
    const system = said ?? (await systemOf(disk, bootMode));
    for (const warning of (await checkDisk(disk, { system, bootMode })).warnings) log.warn(warning);
    const blocks = await log.group(`Hashing ${given}`, () =>
      hashDisk(disk, { openThreads: () => openDiskThreads(host), signal }),
    );
    return {
      ...{ system, bootMode, blocks, origin: given, tag: undefined, source: undefined },
      image: basename(given)
        .replace(/\.(?:zst|gz|xz)$/i, '')
        .replace(/\.(?:raw|img|vhd|qcow2)$/i, ''),
      file: async () => path,
    };
  } finally {
    await disk.close();
  }
}

async function unpacked(path: string, { exec, signal, log, tempDir }: Host): Promise<string> {
  const packing = Object.entries(DISK_PACKINGS).find(([end]) => path.endsWith(end))?.[1];
  if (packing === undefined) return path;
  const to = join(await tempDir(), 'disk.raw');
  await log.group(`Unpacking ${path}`, () => unpackDisk(path, to, packing, { exec, signal }));
  return to;
}

/** Where a BIOS looks whether it may boot a disk, and what it looks for. */
const MBR_MARK = { offset: 510, bytes: Buffer.from([0x55, 0xaa]) };

/** How a disk boots of which nobody says it. Throws UserError `file` for what has no partition table at all. */
async function bootModeOf(disk: Disk): Promise<BootMode> {
  if (await hasGpt(disk)) {
    const { table } = await readGpt(disk);
    return table.partitions.some(({ type }) => type === PARTITION_TYPE.esp) ? 'uefi' : 'legacy-bios';
  }
  const mark = Buffer.alloc(MBR_MARK.bytes.length);
  if (disk.size >= 512) await disk.read(mark, MBR_MARK.offset);
  if (mark.equals(MBR_MARK.bytes)) return 'legacy-bios';
  throw new UserError('file', `${disk.path} is not a disk: it has no partition table`, {
    hint: 'Give the raw, VHD or qcow2 image of a whole disk, not a file system or an archive.',
  });
}

/** The system whose loader a disk has; a BIOS has x86-64 machines alone. Throws UserError `file` where there is none. */
async function systemOf(disk: Disk, bootMode: BootMode): Promise<System> {
  if (bootMode === 'legacy-bios') return 'x86_64-linux';
  let failure: unknown;
  for (const system of SYSTEMS) {
    try {
      await checkDisk(disk, { system, bootMode });
      return system;
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      failure ??= error;
    }
  }
  throw failure;
}
