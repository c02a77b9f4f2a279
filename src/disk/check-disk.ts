import { UserError } from '../core/error.ts';
import type { BootMode } from '../oci/disk-artifact.ts';
import { bootFileOf } from '../oci/efi.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { diskDamage } from './disk-damage.ts';
import { Fat } from './fat.ts';
import { ALIGNMENT, PARTITION_TYPE, type Partition, type PartitionTable } from './gpt.ts';
import { hasGpt, readGpt, type TableDisk } from './gpt-read.ts';
import { peMachine } from './pe-machine.ts';

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

/** Machines of loaders. */
const MACHINE_OF: Readonly<Record<System, string>> = { 'x86_64-linux': 'x86_64', 'aarch64-linux': 'aarch64' };

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
      hint: `Add a FAT partition of the type ${PARTITION_TYPE.esp} with a loader. Where a BIOS is to boot the disk, its image-info.json says so: "boot_mode": "legacy-bios".`,
      docs: 'disks.md#disks-of-other-tools',
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
  const entry = await fat.find(namesOf(system));
  if (entry === undefined || entry.isFolder) throw await noLoader(disk, fat, system);
  const machine = peMachine(await fat.start(entry, LOADER_START));
  if (machine === MACHINE_OF[system]) return;
  const is = machine === undefined ? 'is not an EFI program' : `is for ${machine}`;
  throw new UserError(
    'file',
    `${disk.path}: ${bootFileOf(system)} in ${named(esp)} ${is}, and the disk is for ${system}`,
    { hint: `Install a loader for ${system}; a cross build may have taken that of the machine that builds.` },
  );
}

/** The folders above a loader, and its own name. */
const namesOf = (system: System): readonly string[] => bootFileOf(system).split('/').slice(1);

async function noLoader({ path }: TableDisk, fat: Fat, system: System): Promise<UserError> {
  for (const other of SYSTEMS) {
    if (other === system || (await fat.find(namesOf(other))) === undefined) continue;
    const what = `its EFI system partition has ${bootFileOf(other)} and no ${namesOf(system).at(-1)}`;
    return new UserError('file', `${path}: ${what}`, {
      hint: `The disk is for another architecture than ${system}: name its system, or build it for this one.`,
    });
  }
  return new UserError('file', `${path}: its EFI system partition has no ${bootFileOf(system)}`, {
    hint: `Install the loader there too (bootctl, grub-install --removable): a new machine knows no other place.`,
  });
}
