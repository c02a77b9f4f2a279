import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type ByteString, toBytes } from '../core/bytes.ts';
import type { BlockWriter } from './block-writer.ts';
import { encodeDirectory } from './directory.ts';
import { encodeInode, INODE_SLOT, type Inode, inlineBytes, inodeBytes } from './inode.ts';
import { FS_BLOCK } from './positions.ts';
import { reading, unreadable } from './scan.ts';
import { linksOf, type StoreTree } from './tree.ts';

/** Types and permissions of all that is in a Nix store: nobody may write, and what one may execute, all may. */
const MODES = { file: 0o100444, executable: 0o100555, directory: 0o040555, symlink: 0o120777 } as const;

/** An inode, and what is known from its way there. */
interface Visited {
  readonly path: ByteString;
  /** Number of the directory's inode that it is in. */
  readonly parent: number;
}

/**
 * Writes a tree into its extent, which begins at `block`; `parent` is the number of the root directory's inode. Files are read
 * as they were seen by the scan. Throws UserError `file` for one that is another by now.
 */
export async function writeTree(
  writer: BlockWriter,
  tree: StoreTree,
  { block, parent, signal }: { readonly block: number; readonly parent: number; readonly signal: AbortSignal },
): Promise<void> {
  const ways = new Map<Inode, Visited>([[tree.root, { path: tree.from, parent }]]);
  const nidOf = ({ offset }: Inode): number => (block * FS_BLOCK + offset) / INODE_SLOT;
  for (const group of tree.groups) {
    signal.throwIfAborted();
    const meta = Buffer.alloc(group.blocks * FS_BLOCK);
    await writer.moveTo(block + group.block + group.blocks);
    for (const inode of group.inodes) {
      const way = ways.get(inode);
      // It is not asked for again; those of what is below stand there until their turn comes.
      ways.delete(inode);
      if (!way) throw new Error(`${inode.name} is written before its directory`);
      const nid = nidOf(inode);
      for (const child of inode.children) ways.set(child, { path: `${way.path}/${child.name}`, parent: nid });
      const fields = { mode: modeOf(inode), gid: 0, size: inode.size, links: linksOf(inode) };
      const at = inode.offset - group.block * FS_BLOCK;
      encodeInode(meta, at, fields, { nid, block: block + inode.block });
      const tail = meta.subarray(at + inodeBytes(fields), at + inodeBytes(fields) + inlineBytes(fields));
      if (inode.kind === 'file') await copyFile(writer, way.path, inode, tail);
      else await writeBytes(writer, contentOf(inode, { nid, parent: way.parent, nidOf }), tail);
    }
    await writer.moveTo(block + group.block);
    await writer.write(meta);
  }
}

const modeOf = ({ kind, isExecutable }: Inode): number =>
  kind === 'file' && isExecutable ? MODES.executable : MODES[kind];

/** What the inode of a directory or a symlink holds. */
function contentOf(
  inode: Inode,
  { nid, parent, nidOf }: { readonly nid: number; readonly parent: number; readonly nidOf: (inode: Inode) => number },
): Buffer {
  if (inode.target !== undefined) return toBytes(inode.target);
  const entries = inode.children.map((child) => ({ name: child.name, type: child.kind, nid: nidOf(child) }));
  return encodeDirectory(entries, { nid, parent });
}

/** Whole blocks to where the writer is, the rest behind the inode. */
async function writeBytes(writer: BlockWriter, content: Buffer, tail: Buffer): Promise<void> {
  const cut = content.length - tail.length;
  await writer.write(content.subarray(0, cut));
  writer.pad();
  content.copy(tail, 0, cut);
}

async function copyFile(writer: BlockWriter, path: ByteString, inode: Inode, tail: Buffer): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const descriptor = reading(path, () => openSync(toBytes(path), flags));
  try {
    const cut = inode.size - tail.length;
    for (let at = 0; at < cut; ) {
      const space = await writer.space();
      const bytes = readSome(path, descriptor, {
        into: space.subarray(0, Math.min(space.length, cut - at)),
        position: at,
        inode,
      });
      writer.advance(bytes);
      at += bytes;
    }
    writer.pad();
    for (let at = 0; at < tail.length; )
      at += readSome(path, descriptor, { into: tail.subarray(at), position: cut + at, inode });
    // Once, behind the last byte: it covers all that came before, and asking twice is a tenth of the time for small files.
    checkUnchanged(path, descriptor, inode);
  } finally {
    closeSync(descriptor);
  }
}

/** Blocking: for small files, which most are, several times faster than the thread pool. */
function readSome(
  path: ByteString,
  descriptor: number,
  { into, position, inode }: { readonly into: Buffer; readonly position: number; readonly inode: Inode },
): number {
  const bytes = reading(path, () => readSync(descriptor, into, 0, into.length, position));
  if (bytes > 0) return bytes;
  checkUnchanged(path, descriptor, inode);
  throw changed(path, 'it ends too early');
}

function checkUnchanged(path: ByteString, descriptor: number, { size, mtimeMs }: Inode): void {
  const stats = reading(path, () => fstatSync(descriptor));
  if (!stats.isFile()) throw changed(path, 'it is no longer a file');
  if (stats.size !== size) throw changed(path, `it had ${size} bytes and has ${stats.size}`);
  if (stats.mtimeMs !== mtimeMs) throw changed(path, 'it was written to');
}

const changed = (path: ByteString, how: string) => unreadable(path, `it changed meanwhile: ${how}`);
