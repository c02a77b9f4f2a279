import { type ByteString, compareBytes } from '../core/bytes.ts';

/** A file tree as Nix sees one: no owners, no times, no modes but the executable bit. */
export type TreeNode = TreeFile | TreeSymlink | TreeDirectory;

export interface TreeFile {
  readonly type: 'file';
  /** Absolute path of the content on this machine. */
  readonly source: ByteString;
  readonly size: number;
  readonly executable: boolean;
}

export interface TreeSymlink {
  readonly type: 'symlink';
  /** Absolute path of the link itself. */
  readonly source: ByteString;
  readonly target: ByteString;
}

export interface TreeDirectory {
  readonly type: 'directory';
  readonly source: ByteString;
  readonly children: ReadonlyMap<ByteString, TreeNode>;
}

/**
 * Children in the order of a tar layer: by the bytes of the entry name as it is written, where directories end
 * in a slash (so that a directory's content follows it at once, and `a-b` comes before `a/`).
 */
export function sortedChildren<N extends { readonly type: string }>(
  children: ReadonlyMap<ByteString, N>,
): [ByteString, N][] {
  const key = ([name, node]: [ByteString, N]) => (node.type === 'directory' ? `${name}/` : name);
  return [...children].sort((a, b) => compareBytes(key(a), key(b)));
}
