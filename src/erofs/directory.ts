import { type ByteString, compareBytes, toBytes } from '../core/bytes.ts';
import { FS_BLOCK } from './positions.ts';

/** `struct erofs_dirent`: number of the inode (8), where the name begins in the block (2), type (1), reserved (1). */
const ENTRY_BYTES = 12;

/** `EROFS_FT_*`, which are those of Linux's `fs_types.h`. */
export const FILE_TYPES = { file: 1, directory: 2, symlink: 7 } as const;

/** What a name in a directory stands for. */
interface DirectoryEntry {
  readonly name: ByteString;
  readonly type: keyof typeof FILE_TYPES;
  /** Number of the inode: its place in the file system, in bytes, divided by 32. */
  readonly nid: number;
}

/** Cuts sorted names into the blocks of a directory. A block has its entries first, then their names. */
function* inDirectoryBlocks<T>(
  items: readonly T[],
  nameOf: (item: T) => ByteString,
): Generator<{ items: T[]; used: number }> {
  let block: T[] = [];
  let used = 0;
  for (const item of items) {
    const bytes = ENTRY_BYTES + nameOf(item).length;
    if (used + bytes > FS_BLOCK) {
      yield { items: block, used };
      block = [];
      used = 0;
    }
    block.push(item);
    used += bytes;
  }
  yield { items: block, used };
}

/** Bytes of a directory with these names; `.` and `..` come to them. */
export function directorySize(names: readonly ByteString[]): number {
  let size = 0;
  let blocks = 0;
  for (const { used } of inDirectoryBlocks(withDots(names, ['.', '..']), (name) => name)) {
    size = blocks * FS_BLOCK + used;
    blocks += 1;
  }
  return size;
}

/** In the order of their bytes, in which `.` and `..` have no place of their own: behind `+` and `-`, before digits. */
function withDots<T extends ByteString | DirectoryEntry>(items: readonly T[], dots: readonly T[]): T[] {
  const nameOf = (item: ByteString | DirectoryEntry): ByteString => (typeof item === 'string' ? item : item.name);
  return [...dots, ...items].sort((a, b) => compareBytes(nameOf(a), nameOf(b)));
}

/**
 * The content of a directory: whole blocks but for the last, entries in the order of their names' bytes over all blocks,
 * since the kernel looks names up by halving (Linux `fs/erofs/namei.c`; format: `fs/erofs/erofs_fs.h`). `nid` and `parent`
 * are the numbers of the directory's own inode and of the one above.
 */
export function encodeDirectory(
  entries: readonly DirectoryEntry[],
  { nid, parent }: { nid: number; parent: number },
): Buffer {
  const dots: DirectoryEntry[] = [
    { name: '.', type: 'directory', nid },
    { name: '..', type: 'directory', nid: parent },
  ];
  const blocks: Buffer[] = [];
  for (const { items, used } of inDirectoryBlocks(withDots(entries, dots), ({ name }) => name)) {
    const block = Buffer.alloc(FS_BLOCK);
    let nameAt = items.length * ENTRY_BYTES;
    for (const [index, entry] of items.entries()) {
      const at = index * ENTRY_BYTES;
      block.writeBigUInt64LE(BigInt(entry.nid), at);
      block.writeUInt16LE(nameAt, at + 8);
      block.writeUInt8(FILE_TYPES[entry.type], at + 10);
      nameAt += toBytes(entry.name).copy(block, nameAt);
    }
    blocks.push(block.subarray(0, used));
  }
  // All but the last are whole: what is behind the last name of a block is zero.
  const last = blocks.pop() ?? Buffer.alloc(0);
  return Buffer.concat([...blocks.map((block) => Buffer.from(block.buffer, block.byteOffset, FS_BLOCK)), last]);
}
