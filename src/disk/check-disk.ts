import { UserError } from '../core/error.ts';
import type { BootMode } from '../oci/disk-artifact.ts';
import type { System } from '../oci/system.ts';
import { diskDamage } from './disk-damage.ts';
import { Fat } from './fat.ts';
import { ALIGNMENT, PARTITION_TYPE, type Partition, type PartitionTable } from './gpt.ts';
import { hasGpt, readGpt, type TableDisk } from './gpt-read.ts';

/** @internal What a disk is to be. */
export interface DiskPurpose {
  readonly system: System;
  readonly bootMode: BootMode;
}

interface CheckedDisk {
  /** Undefined for a disk without a GUID partition table, which a BIOS may boot. */
  readonly table: PartitionTable | undefined;
  /** What is odd but does not keep it from booting. */
  readonly warnings: readonly string[];
}

/** File that UEFI starts from a disk that it does not know (UEFI 2.10, section 3.5.1.1), and the machine in its header. */
const LOADERS: Readonly<Record<System, { readonly name: string; readonly machine: number }>> = {
  'x86_64-linux': { name: 'BOOTX64.EFI', machine: 0x8664 },
  'aarch64-linux': { name: 'BOOTAA64.EFI', machine: 0xaa64 },
};

/** Machines of PE headers, for errors ("PE Format", Microsoft). */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [0x14c, 'i386'],
  [0x1c2, '32-bit ARM'],
  [0x1c4, '32-bit ARM'],
  [0x5064, 'RISC-V'],
  [0x6264, 'LoongArch'],
  [0x8664, 'x86-64'],
  [0xaa64, 'AArch64'],
]);

/** Bytes of a loader that are read: the header is in the first kilobyte or it is no loader. */
const LOADER_START = 4096;

/**
 * Looks whether UEFI will find what it boots: both headers of the partition table, partitions within the disk and apart, an EFI
 * system partition, and in it a loader of the system's architecture. Throws UserError `file` that says what is wrong and where.
 */
export async function checkDisk(disk: TableDisk, { system, bootMode }: DiskPurpose): Promise<CheckedDisk> {
  if (bootMode === 'legacy-bios' && !(await hasGpt(disk))) return { table: undefined, warnings: [] };
  const { table, usable } = await readGpt(disk);
  checkPlaces(disk, table.partitions, usable);
  const warnings = table.partitions
    .filter(({ offset }) => offset % ALIGNMENT !== 0)
    .map((partition) => `${disk.path}: ${named(partition)} begins at byte ${partition.offset}, not at a whole MiB`);
  if (bootMode === 'legacy-bios') return { table, warnings };
  const esp = table.partitions.find(({ type }) => type === PARTITION_TYPE.esp);
  if (esp === undefined) {
    throw new UserError('file', `${disk.path} has no EFI system partition, and is to boot by UEFI`, {
      hint: `Add a FAT partition of the type ${PARTITION_TYPE.esp}, or say that the disk boots by a BIOS.`,
    });
  }
  await checkLoader(disk, esp, system);
  return { table, warnings };
}

const named = ({ name, uuid }: Partition): string => `partition ${JSON.stringify(name === '' ? uuid : name)}`;

function checkPlaces(
  { path }: TableDisk,
  partitions: readonly Partition[],
  [start, end]: readonly [start: number, end: number],
): void {
  const sorted = [...partitions].sort((a, b) => a.offset - b.offset);
  for (const [at, partition] of sorted.entries()) {
    const { offset, length } = partition;
    const wrong = (what: string) => diskDamage({ path, structure: named(partition), offset, what });
    if (length <= 0) throw wrong(`ends before it begins, at byte ${offset + length}`);
    if (offset < start || offset + length > end) {
      throw wrong(`ends at byte ${offset + length}; partitions lie from byte ${start} to ${end}`);
    }
    const before = sorted[at - 1];
    if (before && before.offset + before.length > offset) {
      throw wrong(`overlaps ${named(before)}, which ends at byte ${before.offset + before.length}`);
    }
  }
}

async function checkLoader(disk: TableDisk, esp: Partition, system: System): Promise<void> {
  const fat = await Fat.open(disk, esp);
  const { name, machine } = LOADERS[system];
  const entry = await fat.find(['EFI', 'BOOT', name]);
  if (entry === undefined || entry.isFolder) throw await noLoader(disk, fat, system);
  const where = `${disk.path}: /EFI/BOOT/${name} in ${named(esp)}`;
  const is = machineOf(await fat.start(entry, LOADER_START));
  if (is === machine) return;
  const what =
    is === undefined ? 'is not an EFI program' : `is for ${MACHINES.get(is) ?? `the machine 0x${is.toString(16)}`}`;
  throw new UserError('file', `${where} ${what}, and the disk is for ${system}`, {
    hint: `Install a loader for ${system}; a cross build may have taken that of the machine that builds.`,
  });
}

async function noLoader({ path }: TableDisk, fat: Fat, system: System): Promise<UserError> {
  const { name } = LOADERS[system];
  const others = Object.values(LOADERS).filter((loader) => loader.name !== name);
  for (const other of others) {
    if ((await fat.find(['EFI', 'BOOT', other.name])) === undefined) continue;
    return new UserError('file', `${path}: its EFI system partition has /EFI/BOOT/${other.name} and no ${name}`, {
      hint: `The disk is for another architecture than ${system}: name its system, or build it for this one.`,
    });
  }
  return new UserError('file', `${path}: its EFI system partition has no /EFI/BOOT/${name}`, {
    hint: `Install the loader there too (bootctl, grub-install --removable): a new machine knows no other place.`,
  });
}

/** The machine of a PE file: its header lies where byte 60 says. */
function machineOf(bytes: Buffer): number | undefined {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const at = bytes.readUInt32LE(60);
  if (at + 6 > bytes.length || bytes.toString('latin1', at, at + 4) !== 'PE\0\0') return undefined;
  return bytes.readUInt16LE(at + 4);
}
