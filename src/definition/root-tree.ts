import { type ByteString, toText } from '../core/bytes.ts';
import type { Content } from '../tar/entry.ts';
import { MODE } from '../tar/profile.ts';
import { STORE } from './store-path.ts';
import { walkPath } from './walk-path.ts';

interface Owned {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Who put it there, for messages: a store path, `files./etc/motd`, `users`. */
  readonly origin: string;
}

export interface RootFile extends Owned {
  readonly type: 'file';
  readonly content: Content;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

interface RootSymlink extends Omit<Owned, 'mode'> {
  readonly type: 'symlink';
  readonly target: ByteString;
}

export interface RootDirectory extends Owned {
  readonly type: 'directory';
  /** What of it the definition states; the rest is a default, which a base that has the directory knows better. */
  readonly stated?: { readonly mode: boolean; readonly owner: boolean } | undefined;
  /** Seconds since 1970, of a directory of the base; the engine's own time otherwise. */
  readonly mtime?: number;
  readonly children: Map<ByteString, RootNode>;
}

/** A tree of everything that an image holds outside its store layers, with owners and modes. */
export type RootNode = RootFile | RootSymlink | RootDirectory;

/** Folders in one another; Linux takes paths of 4096 bytes, and packages nest a tenth as deep. */
export const FOLDERS_LIMIT = 200;

export const emptyDirectory = (origin: string): RootDirectory => ({
  type: 'directory',
  mode: MODE.rootDirectory,
  uid: 0,
  gid: 0,
  origin,
  children: new Map(),
});

/**
 * Looks `path` up in the tree, following symlinks as a process inside the container would, with `from` (a list of
 * names below the root) as the directory that relative paths start in. Ends at a link into the store, which stands for
 * the file it leads to. Undefined when the path leads nowhere.
 */
export function resolveInRoot(
  root: RootDirectory,
  from: readonly ByteString[],
  path: ByteString,
): { readonly node: RootNode; readonly at: readonly ByteString[] } | undefined {
  const at = walkPath(from, path, (names, { isLast }) => {
    const node = nodeAt(root, names);
    if (!node) return null;
    // What a merged file looks like: a link into the store, which no tree here holds but the image will.
    return node.type === 'symlink' && !(isLast && node.target.startsWith(`${STORE}/`)) ? node.target : undefined;
  });
  const node = at && nodeAt(root, at);
  return node && { node, at };
}

/** The node at exactly these names, no link followed. */
export function nodeAt(root: RootDirectory, names: readonly ByteString[]): RootNode | undefined {
  let node: RootNode = root;
  for (const name of names) {
    const next: RootNode | undefined = node.type === 'directory' ? node.children.get(name) : undefined;
    if (!next) return undefined;
    node = next;
  }
  return node;
}

/** Path of a node for messages. */
export const rootPath = (names: readonly ByteString[]): string => `/${names.map(toText).join('/')}`;
