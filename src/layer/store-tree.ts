import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { type ByteString, fromBytes, toBytes, toText } from '../image/bytes.ts';
import type { TreeFile, TreeNode } from '../image/tree.ts';
import type { TreeSource } from '../image/tree-source.ts';
import { UserError } from '../io/error.ts';
import { checkInside } from './inside-store.ts';

/**
 * Reads trees from the disk. Blocking calls: the metadata of a store path is listed faster this way than through
 * the thread pool, and nothing else could go on without it.
 */
export const storeTree: TreeSource = { read: readTree, sameContent };

/** The tree at a path, undefined when nothing is there. Throws UserError `file` for what an image cannot hold. */
export function readTree(path: ByteString): TreeNode | undefined {
  return attempt(path, () => {
    const stats = lstatSync(toBytes(path), { throwIfNoEntry: false });
    return stats && readNode(path, stats);
  });
}

function attempt<T>(path: ByteString, read: () => T): T {
  try {
    checkInside(path);
    return read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      'file',
      `cannot read ${toText(path)}: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'Check the store with `nix-store --verify --check-contents`.',
        cause: error,
      },
    );
  }
}

function readNode(path: ByteString, stats: Stats): TreeNode {
  if (stats.isFile()) {
    return { type: 'file', source: path, size: stats.size, executable: (stats.mode & 0o100) !== 0 };
  }
  if (stats.isSymbolicLink()) {
    return { type: 'symlink', source: path, target: fromBytes(readlinkSync(toBytes(path), 'buffer')) };
  }
  if (stats.isDirectory()) {
    const names = readdirSync(toBytes(path), 'buffer').map(fromBytes);
    const children = names.map((name): [ByteString, TreeNode] => {
      const child = `${path}/${name}`;
      return [name, readNode(child, lstatSync(toBytes(child)))];
    });
    return { type: 'directory', source: path, children: new Map(children) };
  }
  throw new UserError('file', `${toText(path)} is neither file, directory nor symlink`, {
    hint: 'Nix never puts such a thing into its store: check the store with `nix-store --verify`.',
  });
}

/** Bytes compared at a time, so that two large files do not fill the memory. */
const COMPARED = 256 * 1024;

function sameContent(a: TreeFile, b: TreeFile): boolean {
  return a.size === b.size && withFile(a, (left) => withFile(b, (right) => sameBytes(left, right)));
}

function withFile<T>(file: TreeFile, use: (descriptor: number) => T): T {
  return attempt(file.source, () => {
    const descriptor = openSync(toBytes(file.source), 'r');
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

function sameBytes(left: number, right: number): boolean {
  const [a, b] = [Buffer.allocUnsafe(COMPARED), Buffer.allocUnsafe(COMPARED)];
  for (;;) {
    const count = readFull(left, a);
    if (readFull(right, b) !== count || a.compare(b, 0, count, 0, count) !== 0) return false;
    if (count < COMPARED) return true;
  }
}

/** Fills the buffer unless the file ends before; returns the bytes read. */
function readFull(descriptor: number, into: Buffer): number {
  let used = 0;
  for (let read = -1; read !== 0 && used < into.length; used += read) {
    read = readSync(descriptor, into, used, into.length - used, null);
  }
  return used;
}
