import type { ByteString } from '../core/bytes.ts';

/** Links followed on one path before it counts as a loop; the kernel's own limit. */
export const LINK_LIMIT = 40;

/** How far a walk has come. */
interface Way {
  /** Links followed so far. */
  readonly links: number;
  /** Whether nothing comes after this name. */
  readonly isLast: boolean;
}

/** The target of the link under these names; undefined where there is no link to follow, null where the walk ends. */
type LinkAt = (names: readonly ByteString[], way: Way) => ByteString | undefined | null;

/**
 * The names that `path` means, as a process whose root is that of the tree would see it: from the directory `from`, links
 * followed, never above the root. Undefined for a loop, and where `linkAt` ended the walk.
 */
export function walkPath(from: readonly ByteString[], path: ByteString, linkAt: LinkAt): ByteString[] | undefined {
  let at = path.startsWith('/') ? [] : [...from];
  const todo = path.split('/').reverse();
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === '..') at = at.slice(0, -1);
    if (part === '' || part === '.' || part === '..') continue;
    const here = [...at, part];
    const link = linkAt(here, { links, isLast: todo.every((rest) => rest === '') });
    if (link === null) return undefined;
    if (link === undefined) {
      at = here;
      continue;
    }
    links += 1;
    if (links > LINK_LIMIT) return undefined;
    if (link.startsWith('/')) at = [];
    todo.push(...link.split('/').reverse());
  }
  return at;
}
