import type { ByteString } from '../core/bytes.ts';
import type { TreeFile, TreeNode } from './tree.ts';

/** What making an image's root asks of the disk; everything else about it is pure. */
export interface TreeSource {
  /** The tree at an absolute path, undefined when nothing is there. Does not follow a link at `path` itself. */
  read(path: ByteString): TreeNode | undefined;
  sameContent(a: TreeFile, b: TreeFile): boolean;
}

/** Longest chain of links that packages make in earnest (python3 -> python3.11 -> ...), with room. */
const CHAIN_LIMIT = 16;

/**
 * What a package's node is when its links are followed, inside its own store path or another. Undefined where they
 * lead nowhere, or out of the store: only the store is the same here and in the image, and /etc of this machine
 * must never get in.
 */
export function followInStore(node: TreeNode, source: TreeSource): TreeNode | undefined {
  let at: TreeNode | undefined = node;
  for (let links = 0; at?.type === 'symlink'; links += 1) {
    const parent = at.source.slice(0, at.source.lastIndexOf('/'));
    const target = normalise(at.target.startsWith('/') ? at.target : `${parent}/${at.target}`);
    if (links === CHAIN_LIMIT || !/^\/nix\/store\/[^/]/.test(target)) return undefined;
    at = source.read(target);
  }
  return at;
}

function normalise(path: ByteString): ByteString {
  const names: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '..') names.pop();
    else if (part !== '' && part !== '.') names.push(part);
  }
  return `/${names.join('/')}`;
}
