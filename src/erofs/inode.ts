import type { ByteString } from '../core/bytes.ts';
import type { FILE_TYPES } from './directory.ts';
import { FS_BLOCK } from './positions.ts';

/** What a name in a store path stands for, and where it lies. There are as many as files, so it holds little. */
export interface Inode {
  readonly kind: keyof typeof FILE_TYPES;
  /** Within its directory; of a store path itself, its name in the root directory. */
  readonly name: ByteString;
  /** Bytes of the file, of the symlink's target, or of the directory's entries. */
  readonly size: number;
  readonly isExecutable: boolean;
  /** When the file was changed, as it was seen first: the same must be seen when it is read. */
  readonly mtimeMs: number;
  readonly target: ByteString | undefined;
  /** Of a directory, by name. */
  readonly children: readonly Inode[];
  /** Bytes from the start of the store path's extent to this inode. */
  offset: number;
  /** Blocks from the start of the extent to the first whole block of data. */
  block: number;
}

/** Inodes lie at multiples of this, and their number is their place divided by it. */
export const INODE_SLOT = 32;

/** `struct erofs_inode_compact` and `struct erofs_inode_extended` of Linux `fs/erofs/erofs_fs.h`. */
const COMPACT_BYTES = 32;
const EXTENDED_BYTES = 64;

const UINT16 = 0xffff;
const UINT32 = 0xffffffff;

/** `EROFS_INODE_FLAT_PLAIN`, and `EROFS_INODE_FLAT_INLINE`: the last part of the data stands right behind the inode. */
const PLAIN = 0;
const INLINE = 2;

/** What an inode says beside where its data is. */
interface InodeFields {
  /** Type and permissions, as `st_mode`. */
  readonly mode: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
}

/** All files are as old as Nix makes those of its store: one second after the epoch. */
export const STORE_TIME = 1;

/** Bytes of the inode itself: more for files of 4 GiB and above, and for more links (subdirectories) than 16 bits hold. */
export const inodeBytes = ({ size, links }: Pick<InodeFields, 'size' | 'links'>): number =>
  size > UINT32 || links > UINT16 ? EXTENDED_BYTES : COMPACT_BYTES;

/** How many bytes of the data stand behind the inode: the last, incomplete block's, if they fit into its block with it. */
export function inlineBytes(fields: Pick<InodeFields, 'size' | 'links'>): number {
  const tail = fields.size % FS_BLOCK;
  return tail + inodeBytes(fields) <= FS_BLOCK ? tail : 0;
}

/** Blocks of data apart from the inode. */
export const dataBlocks = (fields: Pick<InodeFields, 'size' | 'links'>): number =>
  Math.ceil((fields.size - inlineBytes(fields)) / FS_BLOCK);

/**
 * Writes an inode at `offset` of `into`, which lies at number `nid`. `block` is the first block of its data, counted from the
 * start of the file system. Uncompressed, without extended attributes; owner 0.
 */
export function encodeInode(
  into: Buffer,
  offset: number,
  fields: InodeFields,
  { nid, block }: { readonly nid: number; readonly block: number },
): void {
  const isExtended = inodeBytes(fields) === EXTENDED_BYTES;
  const isInline = inlineBytes(fields) > 0;
  // All ones is `EROFS_NULL_ADDR`: nothing but what stands behind the inode.
  const first = dataBlocks(fields) > 0 ? block : isInline ? UINT32 : 0;
  into.writeUInt16LE((isExtended ? 1 : 0) | ((isInline ? INLINE : PLAIN) << 1), offset);
  into.writeUInt16LE(fields.mode, offset + 4);
  into.writeUInt32LE(first, offset + 16);
  // Only for programs whose inode numbers have 32 bits.
  into.writeUInt32LE(nid % 2 ** 32, offset + 20);
  if (isExtended) {
    into.writeBigUInt64LE(BigInt(fields.size), offset + 8);
    into.writeUInt32LE(fields.gid, offset + 28);
    into.writeBigUInt64LE(BigInt(STORE_TIME), offset + 32);
    into.writeUInt32LE(fields.links, offset + 44);
  } else {
    // The time of compact inodes is the superblock's.
    into.writeUInt16LE(fields.links, offset + 6);
    into.writeUInt32LE(fields.size, offset + 8);
    into.writeUInt16LE(fields.gid, offset + 26);
  }
}
