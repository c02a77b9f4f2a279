import { placeTrees, type Sized } from '../../src/erofs/place.ts';
import { gapShare, type Positions } from '../../src/erofs/positions.ts';

/** Nix's alphabet. */
const ALPHABET = '0123456789abcdfghijklmnpqrsvwxyz';

/** A hash as store paths have it. */
export const hashText = (chance: () => number): string =>
  Array.from({ length: 32 }, () => ALPHABET[Math.floor(chance() * ALPHABET.length)]).join('');

/** The next revision: a tenth of the paths rebuilt and -10 to +15 % larger, half of them in a new version, 1 % gone, four new. */
export function revise(closure: readonly Sized[], chance: () => number): Sized[] {
  const rebuilt = closure.flatMap((path): Sized[] => {
    const luck = chance();
    if (luck < 0.01) return [];
    if (luck > 0.11) return [path];
    const name = path.name.slice(33);
    const next = chance() < 0.5 ? name : name.replace(/\d+/, () => String(Math.ceil(chance() * 99)));
    return [
      { name: `${hashText(chance)}-${next}`, blocks: Math.max(1, Math.round(path.blocks * (0.9 + chance() * 0.25))) },
    ];
  });
  const added = Array.from({ length: 4 }, (): Sized => {
    const { blocks = 1 } = closure[Math.floor(chance() * closure.length)] ?? {};
    return { name: `${hashText(chance)}-new-${Math.ceil(chance() * 1e6)}`, blocks };
  });
  return [...rebuilt, ...added];
}

/** Paths of both disks that do not lie where they lay. */
export function moved(before: Positions, after: Positions): string[] {
  const places = new Map(before.paths.map(({ path, block }) => [path, block]));
  return after.paths.filter(({ path, block }) => (places.get(path) ?? block) !== block).map(({ path }) => path);
}

/** What a number of revisions, one after another, come to. */
export interface Drift {
  /** Paths that were moved although they stayed. */
  readonly moved: number;
  /** The last disk's size as a multiple of what is on it. */
  readonly growth: number;
}

/** Places so many revisions, each after the one before; sizes are those of a real closure. */
export function drift(closure: readonly Sized[], revisions: number, chance: () => number): Drift {
  let current = closure;
  let positions = placeTrees(current, { limit: Number.MAX_SAFE_INTEGER });
  let moves = 0;
  for (let revision = 0; revision < revisions; revision += 1) {
    current = revise(current, chance);
    const next = placeTrees(current, { previous: positions, limit: Number.MAX_SAFE_INTEGER });
    moves += moved(positions, next).length;
    positions = next;
  }
  return { moved: moves, growth: 1 / (1 - gapShare(positions)) };
}
