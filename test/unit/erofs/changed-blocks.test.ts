// What the project promises of a disk whose closure changes, by where paths lie: no byte is written for it.
import { expect, test } from 'vitest';
import { hashText } from '../../../bench/disk/revisions.ts';
import { placeTrees, type Sized } from '../../../src/erofs/place.ts';
import type { Positions } from '../../../src/erofs/positions.ts';
import { chancesOf } from '../../support/chances.ts';
import { closureBy } from './placing.ts';

/** Blocks of the file system in one of 512 KiB. */
const GROUP = 128;

const LIMIT = Number.MAX_SAFE_INTEGER;

/** What lies in each block of a file system: a number for each path and each block in it, 0 for nothing. */
function blocksOf(positions: Positions, numbers: Map<string, number>): Float64Array {
  const found = new Float64Array(positions.blocks);
  for (const { path, block, blocks } of positions.paths) {
    const number = numbers.get(path) ?? numbers.size + 1;
    numbers.set(path, number);
    for (let at = 0; at < blocks; at += 1) found[block + at] = number * 2 ** 20 + at + 1;
  }
  return found;
}

/** Of the 512 KiB that hold anything, the part that is not what it was; superblock and root directory always are another. */
function changedShare(before: Positions, after: Positions): number {
  const numbers = new Map<string, number>();
  const [old, now] = [blocksOf(before, numbers), blocksOf(after, numbers)];
  let [all, changed] = [0, 0];
  for (let start = 0; start < now.length; start += GROUP) {
    const group = now.subarray(start, start + GROUP);
    const isFixed = start < after.root.block + after.root.blocks;
    if (!isFixed && group.every((block) => block === 0)) continue;
    all += 1;
    if (isFixed || group.some((block, at) => block !== (old[start + at] ?? 0))) changed += 1;
  }
  return changed / all;
}

/** Paths in a new version, 3 % longer, up to 5 % of all bytes; gives what they were of them, too. */
function fivePercent(closure: readonly Sized[], chance: () => number) {
  const total = closure.reduce((sum, { blocks }) => sum + blocks, 0);
  const luck = new Map(closure.map((path) => [path, chance()]));
  let bytes = 0;
  const rebuilt = new Set<Sized>();
  for (const path of [...closure].sort((a, b) => (luck.get(a) ?? 0) - (luck.get(b) ?? 0))) {
    if (bytes > total * 0.049) break;
    if (bytes + path.blocks > total * 0.05) continue;
    rebuilt.add(path);
    bytes += path.blocks;
  }
  const next = closure.map((path) =>
    rebuilt.has(path)
      ? { name: `${hashText(chance)}${path.name.slice(32)}`, blocks: Math.ceil(path.blocks * 1.03) }
      : path,
  );
  return { next, share: bytes / total };
}

test('5 % of the bytes are another: at most 7 % of the 512 KiB blocks', () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const chance = chancesOf(seed);
    const closure = closureBy(chance, 400);
    const before = placeTrees(closure, { limit: LIMIT });
    const { next, share } = fivePercent(closure, chance);
    expect(share).toBeGreaterThan(0.045);
    expect(changedShare(before, before)).toBeLessThan(0.001);
    expect([seed, changedShare(before, placeTrees(next, { previous: before, limit: LIMIT }))]).toEqual([
      seed,
      expect.toSatisfy((found: number) => found > 0.03 && found <= 0.07),
    ]);
    // All of it is another where everything is placed anew.
    if (seed === 1) expect(changedShare(before, placeTrees(next, { limit: LIMIT }))).toBeGreaterThan(0.5);
  }
});
