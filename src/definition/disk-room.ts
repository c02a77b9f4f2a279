import type { DiskDefinition } from './disk-definition.ts';

const MIB_OF_GIB = 1024;

/**
 * What the store of a disk takes whose definition does not say it: NixOS servers take 0.5 to 2 GiB (docs/disks.md, "trim"). It is known only when the
 * closure is, in the build itself, which looks for room once more.
 */
const ASSUMED_STORE_MIB = 3 * MIB_OF_GIB;

/** Copies of the EFI system partition while a disk is made: its file, its place on the disk, and what goes into it. */
const ESP_COPIES = 3;

/**
 * Gibibytes that building a disk takes besides what Nix's store does, by what is known when it is planned: the store on the disk, its chunks in a handover, and the EFI
 * system partition. Without a definition, for a disk of another tool, a store is assumed.
 */
export function diskRoomGiB(disk?: Pick<DiskDefinition, 'partitions' | 'sizeGiB'>): number {
  if (disk === undefined) return Math.ceil((2 * ASSUMED_STORE_MIB) / MIB_OF_GIB);
  const { sizeGiB, partitions } = disk;
  const { esp, store, root } = partitions;
  const most = sizeGiB === null ? Number.POSITIVE_INFINITY : sizeGiB * MIB_OF_GIB - esp.sizeMiB - root.sizeMiB;
  const held = Math.max(0, Math.min(store.sizeMiB ?? ASSUMED_STORE_MIB, most));
  return Math.ceil((2 * held + ESP_COPIES * esp.sizeMiB) / MIB_OF_GIB);
}
