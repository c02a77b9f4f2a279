import { hashText } from '../../../bench/disk/revisions.ts';
import type { Sized } from '../../../src/erofs/place.ts';
import { type Positions, usedRuns } from '../../../src/erofs/positions.ts';

/** What a path's name is without its hash. */
export const named = (hash: string, name: string, blocks: number): Sized => ({ name: `${hash}-${name}`, blocks });

/** Blocks of a path, from one to some ten thousands, most of them few, as in a real closure. */
const blocksBy = (chance: () => number): number => Math.ceil(1.5 ** (chance() * 24));

export const closureBy = (chance: () => number, paths: number): Sized[] =>
  Array.from({ length: paths }, (_, index) =>
    named(hashText(chance), `package${index}-${Math.ceil(chance() * 9)}.0`, blocksBy(chance)),
  );

/** The runs of a file system that lie in one another; none in what `placeTrees` makes. */
export function overlaps(positions: Positions): string[] {
  const runs = usedRuns(positions);
  return runs.flatMap(({ block }, index) => {
    const before = runs[index - 1];
    return before && before.block + before.blocks > block ? [`block ${block}`] : [];
  });
}
