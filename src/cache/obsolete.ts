import type { CacheIndex } from './cache-index.ts';
import { kindOfKey } from './keys.ts';
import type { CacheEntry } from './store.ts';

/** Why an entry is deleted. */
type Reason =
  | 'of a closed pull request'
  | 'a newer index is there'
  | 'no index names it'
  | 'other branches have used their share'
  | 'nothing in it is needed';

export interface Obsolete {
  readonly entry: CacheEntry;
  readonly why: Reason;
}

/** What is in a store, and what a run is to it. */
export interface StoreState {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The git ref in whose scope this run stores; undefined where the store knows none. */
  readonly ref: string | undefined;
  /** Whether this run keeps house for the whole store: the default branch's does. Others take what room is left to them. */
  readonly governs: boolean;
  /** All entries of the store; undefined where they cannot be listed. */
  readonly entries: readonly CacheEntry[] | undefined;
  readonly index: CacheIndex;
  /** Refs of pull requests that are closed: nothing can read their entries. */
  readonly deadRefs: ReadonlySet<string>;
}

const HOUR = 3_600_000;

/** A job may run for six hours before it names its packs, and a run's last job starts when others have ended: a day is enough. */
const UNNAMED_FOR = 24 * HOUR;

/** Indexes that stay: the newest, and the one before, which a job may be about to read. */
const INDEXES_KEPT = 2;

const newestFirst = (entries: readonly CacheEntry[]): CacheEntry[] =>
  [...entries].sort((a, b) => b.created - a.created || (a.key < b.key ? 1 : -1));

const marked = (entries: readonly CacheEntry[], why: Reason): Obsolete[] => entries.map((entry) => ({ entry, why }));

/**
 * This project's entries that nobody misses, whatever the budget: of closed pull requests first, for nothing can read them. `share`
 * is what other refs than this may have together. Other tools' entries are never among them.
 */
export function obsoleteEntries(input: StoreState, share: number): Obsolete[] {
  const { entries = [], deadRefs, ref, governs } = input;
  const ours = entries.filter(({ key }) => kindOfKey(key) !== undefined);
  const dead = governs ? ours.filter((entry) => entry.ref !== undefined && deadRefs.has(entry.ref)) : [];
  const own = ours.filter((entry) => entry.ref === ref || entry.ref === undefined);
  const indexes = newestFirst(own.filter(({ key }) => kindOfKey(key) === 'index')).slice(INDEXES_KEPT);
  const elsewhere = ours.filter((entry) => !own.includes(entry) && !dead.includes(entry));
  return [
    ...marked(dead, 'of a closed pull request'),
    ...marked(indexes, 'a newer index is there'),
    ...marked(unnamed(own, input), 'no index names it'),
    ...marked(governs ? beyondShare(elsewhere, share) : [], 'other branches have used their share'),
  ];
}

/** Packs that no index names, and parts that no fan-in merged: of jobs that were cancelled, and of runs that lost a race. */
function unnamed(own: readonly CacheEntry[], { index, now }: StoreState): CacheEntry[] {
  const named = new Set(index.packs.map(({ key }) => key));
  return own.filter(({ key, created }) => {
    const kind = kindOfKey(key);
    if (now - created < UNNAMED_FOR) return false;
    return kind === 'part' || (kind === 'pack' && !named.has(key));
  });
}

/** Those longest unused, until what is left of them fits. */
function beyondShare(entries: readonly CacheEntry[], share: number): CacheEntry[] {
  let left = share;
  return [...entries]
    .sort((a, b) => b.used - a.used)
    .filter(({ bytes }) => {
      left -= bytes;
      return left < 0;
    });
}
