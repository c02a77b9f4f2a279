import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { type ByteString, toPath, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { storePathOf } from '../definition/store-path.ts';
import type { TreeFile, TreeNode } from '../definition/tree.ts';
import type { TreeSource } from '../definition/tree-source.ts';
import { checkInside } from './inside-store.ts';

/**
 * Reads trees from the disk. Blocking calls: the metadata of a store path is listed faster this way than through
 * the thread pool, and nothing else could go on without it.
 */
export const storeTree: TreeSource = { read: (path) => readTree(path), sameContent };

/**
 * The same, but a directory is listed when its children are looked at, and each time anew: whoever walks a tree once gets its first
 * members at once, however large it is, its memory does not grow with the tree, and other work has its turns meanwhile.
 */
export const lazyStoreTree = watchedStoreTree(() => {});

/** The same, and `onListed` is told of each node that is listed, in one order while nothing is added or taken away. */
export function watchedStoreTree(onListed: OnListed): TreeSource {
  return { read: (path) => readTree(path, path, onListed), sameContent };
}

/** Names as binary strings at once: a buffer for each is a third of what listing a tree takes. */
const NAMES = 'latin1';

/** Store paths that are to be read elsewhere on this machine, and where. */
export type ContentPaths = ReadonlyMap<ByteString, ByteString>;

/**
 * The same for store paths of which some lie elsewhere: trees keep the names that they have in the store, since links
 * are followed by them. `onMissing` gets the store path of what is not there.
 */
export const placedStoreTree = (places: ContentPaths, onMissing: (storePath: string) => void): TreeSource => ({
  read: (path) => {
    const tree = readTree(path, placeOf(path, places));
    if (!tree) onMissing(toText(storePathOf(path)));
    return tree;
  },
  sameContent: (a, b) => sameContent(a, b, (file) => placeOf(file.source, places)),
});

/** Whether there is anything at a path. */
export const isHere = (path: ByteString): boolean => lstatSync(toPath(path), { throwIfNoEntry: false }) !== undefined;

/** Where a path of the store is to be read. */
export function placeOf(path: ByteString, places: ContentPaths): ByteString {
  const storePath = storePathOf(path);
  const place = places.get(storePath);
  return place === undefined ? path : place + path.slice(storePath.length);
}

/** Gets each node that is listed. */
type OnListed = (stats: Stats) => void;

/**
 * The tree at a path, undefined when nothing is there; read from `from`, under the names of `path`; lazily where `onListed` is given. Throws UserError
 * `file` for what an image cannot hold.
 */
export function readTree(path: ByteString, from: ByteString = path, onListed?: OnListed): TreeNode | undefined {
  return attempt(from, () => {
    const stats = lstatSync(toPath(from), { throwIfNoEntry: false });
    return stats && readNode(path, from, stats, onListed);
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

function readNode(path: ByteString, from: ByteString, stats: Stats, onListed: OnListed | undefined): TreeNode {
  onListed?.(stats);
  if (stats.isFile()) {
    return { type: 'file', source: path, size: stats.size, executable: (stats.mode & 0o100) !== 0 };
  }
  if (stats.isSymbolicLink()) {
    return { type: 'symlink', source: path, target: readlinkSync(toPath(from), NAMES) };
  }
  if (stats.isDirectory()) {
    if (!onListed) return { type: 'directory', source: path, children: readChildren(path, from, onListed) };
    return {
      type: 'directory',
      source: path,
      get children() {
        return attempt(from, () => readChildren(path, from, onListed));
      },
    };
  }
  throw new UserError('file', `${toText(path)} is neither file, directory nor symlink`, {
    hint: 'Nix never puts such a thing into its store: check the store with `nix-store --verify`.',
  });
}

function readChildren(path: ByteString, from: ByteString, onListed: OnListed | undefined): Map<ByteString, TreeNode> {
  const children = readdirSync(toPath(from), NAMES).map((name): [ByteString, TreeNode] => {
    const child = `${from}/${name}`;
    return [name, readNode(`${path}/${name}`, child, lstatSync(toPath(child)), onListed)];
  });
  return new Map(children);
}

/** Bytes compared at a time, so that two large files do not fill the memory. */
const COMPARED = 256 * 1024;

function sameContent(
  a: TreeFile,
  b: TreeFile,
  placed: (file: TreeFile) => ByteString = (file) => file.source,
): boolean {
  return a.size === b.size && withFile(placed(a), (left) => withFile(placed(b), (right) => sameBytes(left, right)));
}

function withFile<T>(path: ByteString, use: (descriptor: number) => T): T {
  return attempt(path, () => {
    const descriptor = openSync(toPath(path), 'r');
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
