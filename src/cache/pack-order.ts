import type { CachedPath } from './cache-index.ts';

type Ordered = Pick<CachedPath, 'path' | 'system' | 'image' | 'seconds' | 'narSize'> & {
  readonly references: readonly string[];
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The order of paths in packs: what is asked for together, and what becomes useless together, lies together. By system, what several
 * images need before each image's own, and what depends on little before what depends on much, for a path changes with each of
 * those that it depends on; of equals the most seconds a byte first.
 */
export function inPackOrder<P extends Ordered>(paths: readonly P[]): P[] {
  const byPath = new Map(paths.map((path) => [path.path, path]));
  const depends = new Map(paths.map(({ path }) => [path, countNeeded(path, byPath)]));
  const dependsOf = ({ path }: P): number => depends.get(path) ?? 0;
  return [...paths].sort(
    (a, b) =>
      compare(a.system, b.system) ||
      compare(a.image ?? '', b.image ?? '') ||
      dependsOf(a) - dependsOf(b) ||
      b.seconds / b.narSize - a.seconds / a.narSize ||
      compare(a.path, b.path),
  );
}

/** What paths of one pack have in common, as far as their order allows. */
export const groupOf = ({ system, image }: Pick<Ordered, 'system' | 'image'>): string => `${system} ${image ?? ''}`;

/** How many of the paths one depends on, itself included. */
function countNeeded<P extends Ordered>(path: string, byPath: ReadonlyMap<string, P>): number {
  const needed = new Set([path]);
  // It grows while it is walked.
  for (const one of needed)
    for (const other of byPath.get(one)?.references ?? []) if (byPath.has(other)) needed.add(other);
  return needed.size;
}
