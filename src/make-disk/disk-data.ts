import { type Extent, joinExtents } from '../disk/extent.ts';
import { GPT_END_BYTES, GPT_START_BYTES } from '../disk/gpt.ts';
import { FS_BLOCK, type Positions, usedRuns } from '../erofs/positions.ts';
import type { DiskPlan } from './disk-plan.ts';
import { cutPieces } from './pieces.ts';

/** Where data was written, in bytes of the disk. */
export interface Written {
  readonly plan: DiskPlan;
  readonly positions: Positions;
  readonly esp: readonly Extent[];
  readonly root: readonly Extent[];
  readonly verity: Extent | undefined;
}

/**
 * Windows by which what is no store is cut. Of an EFI system partition whose kernel stays, only the part with the command line is new then, and of
 * dm-verity's tree what is above the blocks that have changed.
 */
const WINDOW_BYTES = 8 << 20;

/** The tables at both ends of the disk. */
const tableEnds = ({ size }: DiskPlan): readonly [Extent, Extent] => [
  { offset: 0, length: GPT_START_BYTES },
  { offset: size - GPT_END_BYTES, length: GPT_END_BYTES },
];

const storeRuns = ({ plan, positions }: Written): Extent[] =>
  usedRuns(positions).map(({ block, blocks }) => ({
    offset: plan.store.offset + block * FS_BLOCK,
    length: blocks * FS_BLOCK,
  }));

/** Where data may be. */
export const extentsOf = (written: Written): Extent[] =>
  joinExtents([
    ...tableEnds(written.plan),
    ...written.esp,
    ...storeRuns(written),
    ...(written.verity === undefined ? [] : [written.verity]),
    ...written.root,
  ]);

/** Where the disk is cut: each partition for itself, so that none of them changes the chunks of another. */
export function piecesOf(written: Written): Extent[] {
  const { plan, esp, root, verity } = written;
  const [start, end] = tableEnds(plan);
  return [
    start,
    ...inWindows(esp, plan.esp.offset),
    ...cutPieces(storeRuns(written), plan.store.offset),
    ...(verity === undefined ? [] : inWindows([verity], verity.offset)),
    ...inWindows(root, plan.root.offset),
    end,
  ];
}

/** Cuts at every window of the partition, and joins what lies within one. */
function inWindows(runs: readonly Extent[], start: number): Extent[] {
  const pieces: { window: number; offset: number; end: number }[] = [];
  for (const run of runs) {
    for (let at = run.offset; at < run.offset + run.length; ) {
      const window = Math.floor((at - start) / WINDOW_BYTES);
      const end = Math.min(run.offset + run.length, start + (window + 1) * WINDOW_BYTES);
      const last = pieces.at(-1);
      if (last?.window === window) last.end = end;
      else pieces.push({ window, offset: at, end });
      at = end;
    }
  }
  return pieces.map(({ offset, end }) => ({ offset, length: end - offset }));
}
