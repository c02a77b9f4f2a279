import { compareBytes } from '../core/bytes.ts';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { FreeRuns } from './free-runs.ts';
import { FS_BLOCK, type Placed, type Positions } from './positions.ts';
import { reservedFor, rootBlocks } from './root-directory.ts';

/** What is to be placed: a store path, and the blocks that it takes. */
export interface Sized {
  readonly name: string;
  readonly blocks: number;
}

/** How trees are placed. @internal */
export interface Placing {
  /** Where they lay in the previous disk; without it, and with `fresh`, they are packed in the order of their names. */
  readonly previous?: Positions | undefined;
  /** Place everything again although there is a previous disk. */
  readonly fresh?: boolean;
  /** Blocks that there are at all, that is the partition's size. */
  readonly limit: number;
  /** What to set for so many blocks, as a sentence; undefined where nothing can be set. */
  readonly remedy?: ((blocks: number) => string | undefined) | undefined;
}

/** A store path's hash, and the dash behind it. */
const HASH_PART = /^[0-9abcdfghijklmnpqrsvwxyz]{32}-/;

const nameOf = (path: string): string => path.replace(HASH_PART, '');

/** A name with all its numbers made equal: `python#-env` of `python3-3.11.2-env`, so that outputs stay apart and versions do not. */
const withoutVersion = (path: string): string => nameOf(path).replace(/[0-9]+(?:[-._][0-9]+)*/g, '#');

/** A path of the previous disk with the blocks up to what lay behind it: its own, and the gap that may follow them. */
interface Slot {
  readonly path: string;
  readonly block: number;
  readonly room: number;
}

/**
 * Gives every tree its blocks. What lay in the previous disk stays where it was. A new path takes the place of one that is
 * gone and had the same name, or the same name in another version, if it fits; others, the largest first, go into the
 * smallest gap that is large enough, or behind everything. So a change moves nothing but itself. The same input gives the
 * same positions, in whatever order the trees come.
 *
 * Throws UserError `input` when that needs more than `limit` blocks.
 */
export function placeTrees(trees: readonly Sized[], { previous, fresh = false, limit, remedy }: Placing): Positions {
  const sorted = inOrder(trees);
  checkSum(sorted, { limit, remedy });
  const positions = previous === undefined || fresh ? pack(sorted) : placeAfter(previous, sorted);
  if (positions.blocks <= limit) return positions;
  throw new UserError(
    'input',
    `the store does not fit between what the previous disk keeps in place: it would end after ${inBytes(positions.blocks)}, but its partition has ${inBytes(limit)}`,
    {
      hint: `${remedy?.(positions.blocks) ?? LARGER} Or place everything again (fresh): then most of the disk is uploaded once more.`,
      docs: 'disk-layout.md#how-paths-get-their-places',
    },
  );
}

/** By name, and by hash where names are equal. */
function inOrder(trees: readonly Sized[]): Sized[] {
  const sorted = trees.toSorted((a, b) => compareBytes(nameOf(a.name), nameOf(b.name)) || compareBytes(a.name, b.name));
  const twice = sorted.find(({ name }, index) => name === sorted[index + 1]?.name);
  if (twice) throw new UserError('input', `${twice.name} is in the store twice`);
  return sorted;
}

const LARGER = 'Make the partition larger.';

function checkSum(trees: readonly Sized[], { limit, remedy }: Pick<Placing, 'limit' | 'remedy'>): void {
  const needed = trees.reduce((sum, { blocks }) => sum + blocks, 1 + rootBlocks(trees));
  if (needed <= limit) return;
  throw new UserError(
    'input',
    `the store needs ${inBytes(needed)} for ${countText(trees.length, 'path')}, but its partition has ${inBytes(limit)}`,
    { hint: `${remedy?.(pack(trees).blocks) ?? LARGER} Or leave something out of the closure.` },
  );
}

const inBytes = (blocks: number): string => sizeText(blocks * FS_BLOCK);

/** One behind the other, in the order given. */
function pack(sorted: readonly Sized[]): Positions {
  const root = { block: 1, blocks: reservedFor(rootBlocks(sorted)) };
  let block = root.block + root.blocks;
  const paths = sorted.map(({ name, blocks }): Placed => {
    block += blocks;
    return { path: name, block: block - blocks, blocks };
  });
  return { version: 1, blocks: block, root, paths };
}

function placeAfter(previous: Positions, sorted: readonly Sized[]): Positions {
  const free = new FreeRuns();
  const paths: Placed[] = [];
  const put = ({ name, blocks }: Sized, block: number): void => {
    free.take({ block, blocks });
    paths.push({ path: name, block, blocks });
  };
  free.take({ block: 0, blocks: 1 });
  const slots = slotsOf(previous);
  const needed = rootBlocks(sorted);
  const keptRoot = needed <= previous.root.blocks ? previous.root : undefined;
  if (keptRoot) free.take(keptRoot);
  let left: Sized[] = [];
  for (const tree of sorted) {
    const slot = slots.get(tree.name);
    if (slot && tree.blocks <= slot.room) {
      put(tree, slot.block);
      slots.delete(tree.name);
    } else {
      left.push(tree);
    }
  }
  for (const keyOf of [nameOf, withoutVersion]) left = left.filter(intoSlots(slots, keyOf, put));
  const root = keptRoot ?? free.takeBest(reservedFor(needed));
  // Stable: paths of one size stay in the order of their names.
  for (const tree of left.toSorted((a, b) => b.blocks - a.blocks)) put(tree, free.best(tree.blocks));
  return { version: 1, blocks: free.end, root, paths: paths.sort((a, b) => a.block - b.block) };
}

/** Of every path of a disk, the blocks from its first to the next thing that lies there. */
function slotsOf({ root, paths }: Positions): Map<string, Slot> {
  const starts = [root.block, ...paths.map(({ block }) => block)].sort((a, b) => a - b);
  const next = new Map(starts.map((start, index) => [start, starts[index + 1] ?? Number.POSITIVE_INFINITY]));
  return new Map(paths.map(({ path, block }) => [path, { path, block, room: (next.get(block) ?? 0) - block }]));
}

/**
 * Whether a tree is still to be placed, after it was put where something of the same `keyOf` lay, if there is such a slot:
 * the smallest that is large enough. A slot that is used is taken out of `slots`.
 */
function intoSlots(
  slots: Map<string, Slot>,
  keyOf: (path: string) => string,
  put: (tree: Sized, block: number) => void,
): (tree: Sized) => boolean {
  const byKey = Map.groupBy(slots.values(), ({ path }) => keyOf(path));
  return (tree) => {
    const fitting =
      byKey.get(keyOf(tree.name))?.filter(({ path, room }) => slots.has(path) && tree.blocks <= room) ?? [];
    const [slot] = fitting.sort((a, b) => a.room - b.room || a.block - b.block);
    if (!slot) return true;
    slots.delete(slot.path);
    put(tree, slot.block);
    return false;
  };
}
