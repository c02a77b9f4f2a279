import type { Extent } from '../disk/extent.ts';

/** Windows that the data is divided into: as many as leave a manifest small, however much that is. */
const WINDOWS = 100;

/** Smaller pieces cost more in requests than they save. */
const LEAST_PIECE = 4 << 20;

/**
 * Bytes of a window, and of what is a piece of its own: the power of two from which on `data` bytes make at most 100 windows. It changes
 * only when the data doubles, and what it changes then are all pieces.
 */
function windowOf(data: number): number {
  let window = LEAST_PIECE;
  while (window * WINDOWS < data) window *= 2;
  return window;
}

/**
 * Cuts what lies in a partition into pieces, which are stored each for itself. A run (a store path) of a window's size or more is a piece
 * alone. Smaller ones are one piece with their neighbours, as long as they begin in the same window of the partition; windows are
 * counted from its start. So a piece depends on nothing but what lies in it: a path that changes in place, comes or goes
 * changes the piece of its window and, where it is large, that of what was before and behind it. There are at most 100 windows of data, 100
 * large runs, and as many pieces beside these, plus a window for each window of gaps.
 *
 * `runs` ascend and do not overlap; `start` is where the partition begins. Pieces may have gaps within.
 */
export function cutPieces(runs: readonly Extent[], start: number): Extent[] {
  const data = runs.reduce((sum, { length }) => sum + length, 0);
  const window = windowOf(data);
  const pieces: { offset: number; end: number; window: number }[] = [];
  for (const { offset, length } of runs) {
    const isLarge = length >= window;
    const number = isLarge ? -1 : Math.floor((offset - start) / window);
    const last = pieces.at(-1);
    if (last && !isLarge && last.window === number) last.end = offset + length;
    else pieces.push({ offset, end: offset + length, window: number });
  }
  return pieces.map(({ offset, end }) => ({ offset, length: end - offset }));
}
