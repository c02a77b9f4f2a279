import { expect, test } from 'vitest';
import { type Extent, extentEnd } from '../../../src/disk/extent.ts';
import { cutPieces } from '../../../src/make-disk/pieces.ts';
import { chancesOf } from '../../support/chances.ts';

const MIB = 1 << 20;
const START = 100 * MIB;

/** Runs one behind the other, of sizes in MiB, and where the next begins. */
function runsOf(sizes: readonly number[]): Extent[] {
  let offset = START;
  return sizes.map((size) => {
    const run = { offset, length: size * MIB };
    offset += run.length;
    return run;
  });
}

const textOf = (pieces: readonly Extent[]): string[] =>
  pieces.map(({ offset, length }) => `${(offset - START) / MIB}+${length / MIB}`);

test('large runs are alone, small ones with those that begin in the same window of 4 MiB', () => {
  expect(textOf(cutPieces(runsOf([1, 2, 3, 1, 6, 1, 1]), START))).toEqual(['0+6', '6+1', '7+6', '13+2']);
  expect(textOf(cutPieces(runsOf([8, 4]), START))).toEqual(['0+8', '8+4']);
  expect(cutPieces([], START)).toEqual([]);
});

test('a run that is replaced in place by a smaller one changes the piece that it is in', () => {
  const before = runsOf([1, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1]);
  const after = before.map((run, index) => (index === 4 ? { ...run, length: run.length / 2 } : run));
  // The piece has the same bounds and other bytes; all others have neither.
  expect(cutPieces(after, START)).toEqual(cutPieces(before, START));
  const gone = before.filter((_, index) => index !== 5);
  const pieces = textOf(cutPieces(before, START));
  expect(pieces.filter((piece) => !textOf(cutPieces(gone, START)).includes(piece))).toEqual([]);
});

test('a run that goes at the edge of a window changes the bounds of its own piece alone', () => {
  const before = runsOf([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(textOf(cutPieces(before, START))).toEqual(['0+4', '4+4']);
  expect(textOf(cutPieces(before.slice(0, 7), START))).toEqual(['0+4', '4+3']);
  expect(
    textOf(
      cutPieces(
        before.filter((_, index) => index !== 4),
        START,
      ),
    ),
  ).toEqual(['0+4', '5+3']);
});

test.each([1, 2, 3])('whatever is in a store, there are few pieces, and all runs are in one (%i)', (seed) => {
  const chance = chancesOf(seed);
  const sizes = Array.from({ length: 3000 }, () => Math.ceil(4096 * 2 ** (chance() * 14)) / MIB);
  const runs = runsOf(sizes);
  const pieces = cutPieces(runs, START);
  expect(pieces.length).toBeLessThanOrEqual(150);
  let at = 0;
  for (const run of runs) {
    while (extentEnd(pieces[at] ?? run) <= run.offset) at += 1;
    const piece = pieces[at];
    expect(piece && piece.offset <= run.offset && extentEnd(run) <= extentEnd(piece)).toBe(true);
  }
  for (const [index, piece] of pieces.entries())
    expect(piece.offset).toBeGreaterThanOrEqual(extentEnd(pieces[index - 1] ?? { offset: 0, length: 0 }));
});
