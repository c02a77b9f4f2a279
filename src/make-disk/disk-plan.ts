import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import type { Extent } from '../disk/extent.ts';
import { ALIGNMENT, GPT_END_BYTES } from '../disk/gpt.ts';
import { BLOCK_LIMIT, FS_BLOCK } from '../erofs/positions.ts';
import { verityBlocks } from '../erofs/verity.ts';

/** Where everything of a disk lies, in bytes. */
export interface DiskPlan {
  /** Of the whole disk: whole GiB. */
  readonly size: number;
  readonly esp: Extent;
  readonly store: Extent;
  /** dm-verity's tree over the store; undefined where the definition wants none. */
  readonly verity: Extent | undefined;
  readonly root: Extent;
}

/** What a plan reads of a definition. */
type Sizes = Pick<DiskDefinition, 'name' | 'partitions' | 'sizeGiB' | 'verity'>;

const MIB = 1 << 20;
const GIB = 1 << 30;

/** dm-verity's tree takes this part of the data, some more than the 127th that it is: alignment. */
const VERITY_SHARE = 1 / 126;

/** Room that the store gets, in steps of so much of it: its size, and where the root begins, change rarely then. */
const STEP_SHARE = 8;

const up = (bytes: number, step: number): number => Math.ceil(bytes / step) * step;

/** Blocks that a store may take at most, whatever is in it: what the definition says of its partition or of the disk. */
export function storeLimit({ partitions, sizeGiB, verity }: Sizes): number {
  const { esp, store, root } = partitions;
  const stated = store.sizeMiB === null ? BLOCK_LIMIT : (store.sizeMiB * MIB) / FS_BLOCK;
  if (sizeGiB === null) return stated;
  const room = sizeGiB * GIB - 2 * ALIGNMENT - (esp.sizeMiB + root.sizeMiB) * MIB;
  const data = verity ? room * (1 - VERITY_SHARE) - 2 * ALIGNMENT : room;
  return Math.min(stated, Math.max(0, Math.floor(data / ALIGNMENT) * (ALIGNMENT / FS_BLOCK)));
}

/** What to set so that a store of so many blocks fits, as a sentence; undefined where the definition states no size. */
export function roomRemedy(sizes: Sizes, blocks: number): string | undefined {
  const { partitions, sizeGiB } = sizes;
  const { sizeMiB } = partitions.store;
  const bytes = blocks * FS_BLOCK;
  if (sizeMiB !== null && sizeMiB * MIB < bytes)
    return `Set partitions.store.sizeMiB to ${Math.ceil(bytes / MIB)} or more, or leave it out.`;
  if (sizeGiB === null) return undefined;
  let enough = sizeGiB;
  while (storeLimit({ ...sizes, sizeGiB: enough }) < blocks) enough += 1;
  return `Set sizeGiB to ${enough} or more, or leave it out: then it is the least that fits.`;
}

/** What is in the store: bytes of all paths, and bytes from its start to the end of the last. */
export interface StoreSizes {
  readonly data: number;
  readonly end: number;
}

/**
 * Bytes of the store's partition: what the definition states, or its percent of the data, rounded up to an eighth of a power of
 * two so that it stays the same for most changes. Never less than what is there, never more than `storeLimit`.
 */
function storeBytes(sizes: Sizes, { data, end }: StoreSizes): number {
  const { sizeMiB, windowPercent } = sizes.partitions.store;
  if (sizeMiB !== null) return sizeMiB * MIB;
  const wanted = Math.max((data * windowPercent) / 100, end, ALIGNMENT);
  const step = Math.max(2 ** Math.floor(Math.log2(wanted)) / STEP_SHARE, ALIGNMENT);
  return Math.max(up(end, ALIGNMENT), Math.min(up(wanted, step), storeLimit(sizes) * FS_BLOCK));
}

/**
 * Places the partitions one behind the other: EFI system partition, store, dm-verity's tree, root. The root is last, because it grows.
 * Throws UserError `input` where that does not fit the size that the definition states.
 */
export function planDisk(sizes: Sizes, store: StoreSizes): DiskPlan {
  const { partitions, sizeGiB, name } = sizes;
  let next = ALIGNMENT;
  const take = (length: number): Extent => {
    const extent = { offset: next, length };
    next = up(next + length, ALIGNMENT);
    return extent;
  };
  const esp = take(partitions.esp.sizeMiB * MIB);
  const placedStore = take(storeBytes(sizes, store));
  const verity = sizes.verity ? take(up(verityBlocks(placedStore.length / FS_BLOCK) * FS_BLOCK, ALIGNMENT)) : undefined;
  const root = take(partitions.root.sizeMiB * MIB);
  const needed = next + GPT_END_BYTES;
  const size = sizeGiB === null ? up(needed, GIB) : sizeGiB * GIB;
  if (needed > size) throw tooSmall(name, { esp, store: placedStore, root, size }, needed);
  return { size, esp, store: placedStore, verity, root };
}

function tooSmall(
  name: string,
  { esp, store, root, size }: Pick<DiskPlan, 'esp' | 'store' | 'root' | 'size'>,
  needed: number,
): UserError {
  const parts = `EFI system partition ${sizeText(esp.length)}, store ${sizeText(store.length)}, root ${sizeText(root.length)}`;
  return new UserError(
    'input',
    `the disk ${name} needs ${sizeText(needed)} (${parts}), but its sizeGiB says ${sizeText(size)}`,
    {
      hint: `Set sizeGiB to ${Math.ceil(needed / GIB)} or more, or leave it out: then it is the least that fits.`,
      docs: 'disks.md#sizes',
    },
  );
}
