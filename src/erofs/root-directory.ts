import { directorySize } from './directory.ts';
import { FS_BLOCK } from './positions.ts';

/**
 * Blocks of 512 KiB, in which clouds take disks. The superblock and the root directory change with every disk: they are to
 * be alone in theirs.
 */
const CLOUD_BLOCK = 524288 / FS_BLOCK;

/** Blocks of the root directory's entries. */
export const rootBlocks = (entries: readonly { readonly name: string }[]): number =>
  Math.ceil(directorySize(entries.map(({ name }) => name)) / FS_BLOCK);

/**
 * What is reserved for a root directory that takes so many blocks now: twice as much, which with the superblock before it
 * fills whole blocks of a cloud, so that later disks have more paths without moving any. 512 KiB hold some 7,000 paths.
 */
export const reservedFor = (blocks: number): number => Math.ceil((2 * blocks + 1) / CLOUD_BLOCK) * CLOUD_BLOCK - 1;
