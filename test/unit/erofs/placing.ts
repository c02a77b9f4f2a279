import type { Sized } from '../../../src/erofs/place.ts';
import { type Positions, usedRuns } from '../../../src/erofs/positions.ts';

/** Nix's alphabet. */
const ALPHABET = '0123456789abcdfghijklmnpqrsvwxyz';

/** A hash as store paths have it. */
export const hashText = (chance: () => number): string =>
  Array.from({ length: 32 }, () => ALPHABET[Math.floor(chance() * 32)]).join('');

/** What a path's name is without its hash. */
export const named = (hash: string, name: string, blocks: number): Sized => ({ name: `${hash}-${name}`, blocks });

/** Blocks of a path, from one to some ten thousands, most of them few, as in a real closure. */
const blocksBy = (chance: () => number): number => Math.ceil(1.5 ** (chance() * 24));

export const closureBy = (chance: () => number, paths: number): Sized[] =>
  Array.from({ length: paths }, (_, index) =>
    named(hashText(chance), `package${index}-${Math.ceil(chance() * 9)}.0`, blocksBy(chance)),
  );

/** The next revision: a tenth of the paths rebuilt and -10 to +15 % larger, some with a new version, 1 % gone, four new. */
export function revise(closure: readonly Sized[], chance: () => number): Sized[] {
  const kept = closure.flatMap((path): Sized[] => {
    const luck = chance();
    if (luck < 0.01) return [];
    if (luck > 0.11) return [path];
    const name =
      chance() < 0.5 ? path.name.slice(33) : path.name.slice(33).replace(/\d+\.0$/, `${Math.ceil(chance() * 99)}.0`);
    return [named(hashText(chance), name, Math.max(1, Math.round(path.blocks * (0.9 + chance() * 0.25))))];
  });
  return [...kept, ...closureBy(chance, 4)];
}

/** The runs of a file system that lie in one another; none in what `placeTrees` makes. */
export function overlaps(positions: Positions): string[] {
  const runs = usedRuns(positions);
  return runs.flatMap(({ block }, index) => {
    const before = runs[index - 1];
    return before && before.block + before.blocks > block ? [`block ${block}`] : [];
  });
}

/** Paths of both that do not lie where they lay. */
export function moved(before: Positions, after: Positions): string[] {
  const places = new Map(before.paths.map(({ path, block }) => [path, block]));
  return after.paths.filter(({ path, block }) => (places.get(path) ?? block) !== block).map(({ path }) => path);
}
