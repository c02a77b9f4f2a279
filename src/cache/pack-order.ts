import type { CachedPath } from './cache-index.ts';

type Ordered = Pick<CachedPath, 'path' | 'system' | 'image' | 'isLeaf' | 'seconds' | 'narSize'>;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The order of paths in packs: what is asked for together, and what becomes useless together, lies together. By system,
 * what several images need before each image's own, leaves last, and the most seconds a byte first.
 */
export const inPackOrder = <P extends Ordered>(paths: readonly P[]): P[] =>
  [...paths].sort(
    (a, b) =>
      compare(a.system, b.system) ||
      compare(a.image ?? '', b.image ?? '') ||
      Number(a.isLeaf) - Number(b.isLeaf) ||
      b.seconds / b.narSize - a.seconds / a.narSize ||
      compare(a.path, b.path),
  );
