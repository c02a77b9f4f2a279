import { sum } from '../core/sum.ts';
import type { CachedPath, CacheIndex } from './cache-index.ts';
import { packedSize } from './cache-index.ts';
import { choose, type Item } from './choose.ts';
import { kindOfKey } from './keys.ts';
import { type Obsolete, obsoleteEntries, type StoreState } from './obsolete.ts';
import type { CacheEntry } from './store.ts';
import { isQuicklyBuilt } from './value.ts';

/** A path that was built and is not stored yet. An image needs it, or it was not built. */
export interface StoreCandidate {
  readonly path: string;
  readonly narSize: number;
  readonly seconds: number;
  readonly system: string;
  readonly image?: string | undefined;
}

/** What the plan of the budget follows from. */
export interface BudgetInput extends StoreState {
  /** Bytes for everything in the store, others' entries too. */
  readonly limit: number;
  /** Bytes at which the store itself begins to drop entries; what is between is for runs that do not govern. */
  readonly ceiling: number;
  readonly candidates: readonly StoreCandidate[];
  /** Bytes of packs that this run may read and write again to get rid of what is not needed in them. */
  readonly rewrite: number;
}

/** Why a path is not stored, or not any longer. */
type Refusal = 'not needed now' | 'quicker to build than to fetch' | 'others save more time a byte';

interface RefusedPath {
  readonly path: string;
  readonly bytes: number;
  readonly why: Refusal;
}

/** What is to be done so that the store keeps within its limit. Data: nothing was done yet. */
export interface BudgetPlan {
  readonly limit: number;
  /** Bytes in the store before: all, and those of other tools. */
  readonly before: number;
  readonly others: number;
  readonly otherEntries: number;
  /** Bytes afterwards, as far as they can be told before new paths are packed. */
  readonly after: number;
  /** Stored paths that stay. */
  readonly kept: ReadonlySet<string>;
  readonly dropped: readonly RefusedPath[];
  /** Packs, by their number in the index, whose needed paths are written to new ones. */
  readonly compacted: readonly number[];
  /** Entries to delete, in order: those that nobody misses first. */
  readonly removed: readonly Obsolete[];
  readonly admitted: readonly StoreCandidate[];
  readonly refused: readonly RefusedPath[];
}

/** What zstd makes of a NAR, for plans: programs and libraries shrink to a third, text to less, data that is packed not at all. */
const PACKED_SHARE = 0.35;

/** The part of the limit that runs of other refs than the default branch may take together. */
const OTHER_REFS_SHARE = 0.1;

/** A new path's bytes in a pack, before it is packed. */
const expectedSize = ({ narSize }: StoreCandidate): number => Math.ceil(narSize * PACKED_SHARE);

/** Decides what to keep, to store and to delete. Pure: the same input, the same plan. */
export function planBudget(input: BudgetInput): BudgetPlan {
  const { entries = [], limit, governs, index } = input;
  const mine = packsOfThisRef(input);
  const packBytes = sum(index.packs.map(({ bytes }, at) => (mine.has(at) ? bytes : 0)));
  const known = entries.filter(({ key }) => kindOfKey(key) !== undefined);
  const before = input.entries ? sum(entries.map(({ bytes }) => bytes)) : packBytes;
  const others = sum(entries.filter((entry) => !known.includes(entry)).map(({ bytes }) => bytes));
  const obsolete = obsoleteEntries(input, Math.floor(limit * OTHER_REFS_SHARE));
  const rest = Math.max(0, before - packBytes - sum(obsolete.map(({ entry }) => entry.bytes)));
  const share = Math.min(Math.max(limit, input.ceiling) - rest, limit * OTHER_REFS_SHARE);
  const capacity = Math.max(0, Math.floor(governs ? limit - rest : share));
  const current = currentPaths(index);
  const items = itemsOf(input, mine, current);
  const holdings = index.packs.map(({ bytes }, at) => ({ bytes: mine.has(at) ? bytes : 0 }));
  const choice = choose(items, holdings, { capacity, rewrite: input.rewrite });
  const isKept = ({ path, pieces }: CachedPath): boolean =>
    choice.chosen.has(path) || pieces.every(({ pack }) => !mine.has(pack));
  const fated = (fate: string): number[] =>
    index.packs.map((_, at) => at).filter((at) => mine.has(at) && choice.fates[at] === fate);
  return {
    limit,
    before,
    others,
    otherEntries: entries.length - known.length,
    after: rest + choice.bytes,
    kept: new Set(index.paths.filter(isKept).map(({ path }) => path)),
    dropped: index.paths.filter((path) => !isKept(path)).map((path) => refusalOf(itemOf(path, current))),
    compacted: fated('compacted'),
    removed: [...obsolete, ...removalsOf(input, fated('dropped'), index)],
    admitted: input.candidates.filter(({ path }) => choice.chosen.has(path)),
    refused: items
      .filter(({ path, pieces }) => pieces.length === 0 && !choice.chosen.has(path))
      .map((item) => refusalOf(item)),
  };
}

/** Numbers of the packs that this run may delete: those of its own scope, or all where the store knows none. */
function packsOfThisRef({ entries, index, ref, governs }: BudgetInput): ReadonlySet<number> {
  const refs = new Map(entries?.map((entry) => [entry.key, entry.ref]));
  const isMine = (key: string): boolean => {
    const of = refs.get(key);
    return of === undefined ? governs || !entries : of === ref;
  };
  return new Set(index.packs.flatMap(({ key }, at) => (isMine(key) ? [at] : [])));
}

function removalsOf({ entries = [], ref }: BudgetInput, packs: readonly number[], index: CacheIndex): Obsolete[] {
  const keys = new Set(packs.map((at) => index.packs[at]?.key));
  const isThere = (entry: CacheEntry): boolean => keys.has(entry.key) && (entry.ref === undefined || entry.ref === ref);
  return entries.filter(isThere).map((entry) => ({ entry, why: 'nothing in it is needed' as const }));
}

function itemOf(path: CachedPath, current: ReadonlySet<string>): Item {
  return {
    path: path.path,
    seconds: path.seconds,
    bytes: packedSize(path),
    isCurrent: current.has(path.path),
    pieces: path.pieces,
  };
}

/** What the images need now. */
export const currentPaths = ({ closures }: Pick<CacheIndex, 'closures'>): ReadonlySet<string> =>
  new Set(closures.flatMap(({ paths }) => paths));

function itemsOf(input: BudgetInput, mine: ReadonlySet<number>, current: ReadonlySet<string>): Item[] {
  const stored = input.index.paths.filter(({ pieces }) => pieces.some(({ pack }) => mine.has(pack)));
  const known = new Set(input.index.paths.map(({ path }) => path));
  const fresh = input.candidates.filter(({ path }) => !known.has(path));
  return [
    ...stored.map((path) => itemOf(path, current)),
    ...fresh.map(
      (one): Item => ({
        path: one.path,
        seconds: one.seconds,
        bytes: expectedSize(one),
        isCurrent: true,
        pieces: [],
      }),
    ),
  ];
}

function refusalOf(item: Item): RefusedPath {
  const { path, bytes, isCurrent } = item;
  if (!isCurrent) return { path, bytes, why: 'not needed now' };
  return { path, bytes, why: isQuicklyBuilt(item) ? 'quicker to build than to fetch' : 'others save more time a byte' };
}
