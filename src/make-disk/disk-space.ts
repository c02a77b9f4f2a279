import type { Closure } from '../definition/closure.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';

/** What of a definition takes room while its disk is made. */
type Sizes = Pick<DiskDefinition, 'partitions' | 'boot'>;

const MIB = 1 << 20;

/** Blocks that end within a block, directories and inodes, in proportion to the NARs: 8 % in a closure of many small files. */
const BLOCKS_SHARE = 0.08;

/** Partition tables, root, positions, and what else writes to the disk meanwhile. */
const HEADROOM = 64 * MIB;

/**
 * Bytes that making a disk takes in its folder: the store once; the EFI system partition twice and the unified kernel image once, since they
 * are files of their own until they are copied. Holes take nothing. Known from the closure, before anything is built.
 */
export function spaceNeeded({ partitions, boot }: Sizes, closure: Closure): number {
  const store = closure.reduce((sum, { narSize }) => sum + narSize, 0) * (1 + BLOCKS_SHARE);
  const copies = boot.loader === 'uki' ? 3 : 2;
  return Math.ceil(store + copies * partitions.esp.sizeMiB * MIB + HEADROOM);
}
