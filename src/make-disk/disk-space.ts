import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import type { Closure } from '../definition/closure.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';

/** What of a definition takes room while its disk is made. */
type Sizes = Pick<DiskDefinition, 'name' | 'partitions' | 'boot'>;

const MIB = 1 << 20;

/** Blocks that end within a block, directories and inodes, in proportion to the NARs: 8 % in a closure of many small files. */
const BLOCKS_SHARE = 0.08;

/** Partition tables, root, positions, and what else writes to the disk meanwhile. */
const HEADROOM = 64 * MIB;

/**
 * Bytes that making a disk takes in its folder: the store once; the EFI system partition twice and the unified kernel image once, since they
 * are files of their own until they are copied. Holes take nothing. Known from the closure, before anything is built.
 */
function spaceNeeded({ partitions, boot }: Sizes, closure: Closure): number {
  const store = closure.reduce((sum, { narSize }) => sum + narSize, 0) * (1 + BLOCKS_SHARE);
  const copies = boot.loader === 'uki' ? 3 : 2;
  return Math.ceil(store + copies * partitions.esp.sizeMiB * MIB + HEADROOM);
}

/** Throws UserError `file` that says what is needed and what there is, where `free` bytes in `folder` are too few; `beside` bytes are for what is made of the disk there. */
export function checkSpace(
  definition: Sizes,
  closure: Closure,
  { folder, free, beside = 0 }: { readonly folder: string; readonly free: number; readonly beside?: number },
): void {
  const needed = spaceNeeded(definition, closure) + beside;
  if (needed <= free) return;
  throw new UserError(
    'file',
    `no space for the disk ${definition.name}: making it takes ${sizeText(needed)} in ${folder}, where ${sizeText(free)} are free`,
    {
      hint: "Free space, or name a folder of a larger file system; on GitHub's runners, setup can remove what is preinstalled.",
    },
  );
}
