import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';

/** What the file system says of the nodes of a tree, as a hash; see `watchedStoreTree`. */
interface TreePrint {
  add(stats: Pick<Stats, 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>): void;
  end(): string;
}

/** Numbers of a node, and nodes that are hashed together. */
const NUMBERS = 4;
const NODES = 256;

/**
 * Tells trees apart that were changed: whoever writes, renames, replaces or touches anything in one changes the time of an inode's last change,
 * which no program can set back. Content that the disk lost without a write is not seen.
 */
export function treePrint(): TreePrint {
  const hash = createHash('sha256');
  const numbers = new Float64Array(NUMBERS * NODES);
  let used = 0;
  const flush = (): void => {
    hash.update(numbers.subarray(0, used));
    used = 0;
  };
  return {
    add: ({ ino, size, mtimeMs, ctimeMs }) => {
      numbers[used] = ino;
      numbers[used + 1] = size;
      numbers[used + 2] = mtimeMs;
      numbers[used + 3] = ctimeMs;
      used += NUMBERS;
      if (used === numbers.length) flush();
    },
    end: () => {
      flush();
      return hash.digest('hex');
    },
  };
}
