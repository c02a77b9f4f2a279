import type { FileHandle } from 'node:fs/promises';
import { readFully } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import { INODE_SLOT } from './inode.ts';
import { checkPositions, ENTRY_NAME, FS_BLOCK, type Positions } from './positions.ts';
import { reservedFor } from './root-directory.ts';
import { damaged, decodeSuperblock } from './superblock.ts';

/** Bytes of the largest root directory that is read: a million paths. */
const SIZE_LIMIT = 64 << 20;

/** Compact, uncompressed, nothing behind the inode: how `writeErofs` writes the root directory. */
const PLAIN_FORMAT = 0;

/**
 * The positions of a file system that `writeErofs` wrote, from its root directory: for a disk whose published positions are
 * lost. A directory names first blocks only, so each run goes up to the next one, gaps included; `placeTrees` puts things where
 * it would have with the published ones. Throws UserError `input` when it is damaged or another file system, and `file` when
 * it cannot be read; `path` is how errors call it.
 *
 * @internal
 */
export async function readPositions(file: FileHandle, path: string, start: number): Promise<Positions> {
  const read = (bytes: number, position: number): Promise<Buffer> =>
    readAt(file, path, { bytes, position: start + position });
  const head = await read(FS_BLOCK, 0);
  const { blocks, rootNid } = decodeSuperblock(head, path);
  const inode = head.subarray((rootNid * INODE_SLOT) % FS_BLOCK);
  if (rootNid * INODE_SLOT >= FS_BLOCK || inode.length < INODE_SLOT || inode.readUInt16LE(0) !== PLAIN_FORMAT) {
    throw damaged(path, 'its root directory is not one that nix-images wrote');
  }
  const size = inode.readUInt32LE(8);
  const block = inode.readUInt32LE(16);
  if (size === 0 || size > SIZE_LIMIT || block * FS_BLOCK + size > blocks * FS_BLOCK) {
    throw damaged(path, `its root directory cannot have ${size} bytes at block ${block}`);
  }
  const entries = entriesOf(await read(size, block * FS_BLOCK), path).sort((a, b) => a.block - b.block);
  const starts = [block, ...entries.map((entry) => entry.block)].sort((a, b) => a - b);
  const next = new Map(starts.map((at, index) => [at, starts[index + 1] ?? blocks]));
  const upToNext = (at: number): number => (next.get(at) ?? blocks) - at;
  const reserved = reservedFor(Math.ceil(size / FS_BLOCK));
  const positions: Positions = {
    version: 1,
    blocks,
    root: { block, blocks: Math.min(reserved, upToNext(block)) },
    paths: entries.map((entry) => ({ path: entry.name, block: entry.block, blocks: upToNext(entry.block) })),
  };
  return checkPositions(positions, `the root directory of ${path}`);
}

async function readAt(
  file: FileHandle,
  path: string,
  { bytes, position }: { readonly bytes: number; readonly position: number },
): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const read = await withFileErrors(path, 'read', () => readFully(file, buffer, position));
  if (read < bytes) throw damaged(path, `it ends at byte ${position + read}, before byte ${position + bytes}`);
  return buffer;
}

interface Entry {
  readonly name: string;
  readonly block: number;
}

/** The entries of a directory but `.` and `..`; the reverse of `encodeDirectory`. */
function entriesOf(directory: Buffer, path: string): Entry[] {
  const found: Entry[] = [];
  for (let start = 0; start < directory.length; start += FS_BLOCK) {
    const block = directory.subarray(start, start + FS_BLOCK);
    const count = block.readUInt16LE(8) / 12;
    if (!Number.isInteger(count) || count < 1 || count * 12 > block.length) throw damagedAt(path, start);
    for (let index = 0; index < count; index += 1) found.push(entryAt(block, index, { count, path, start }));
  }
  return found.filter(({ name }) => !isDot(name));
}

const isDot = (name: string): boolean => name === '.' || name === '..';

function entryAt(
  block: Buffer,
  index: number,
  { count, path, start }: { readonly count: number; readonly path: string; readonly start: number },
): Entry {
  const at = index * 12;
  const from = block.readUInt16LE(at + 8);
  const to = index + 1 < count ? block.readUInt16LE(at + 20) : block.length;
  if (from < count * 12 || to > block.length || from >= to) throw damagedAt(path, start);
  const byte = Number(block.readBigUInt64LE(at)) * INODE_SLOT;
  const name = block.toString('latin1', from, to).replace(/\0+$/, '');
  if (!isDot(name) && !ENTRY_NAME.test(name)) throw damagedAt(path, start);
  return { name, block: Math.floor(byte / FS_BLOCK) };
}

const damagedAt = (path: string, byte: number) =>
  damaged(path, `the block at byte ${byte} of its root directory is damaged`);
