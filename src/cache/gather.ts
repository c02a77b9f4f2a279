import { type CacheWorld, type RestoredIndex, restoreIndex } from './index-store.ts';
import { isPackOfRun, kindOfKey, partsPrefix } from './keys.ts';
import type { CacheEntry } from './store.ts';

interface Gathering {
  /** The git ref in whose scope this run stores; undefined where the store knows none. */
  readonly ref: string | undefined;
  /** Other refs that it may read: its base, the default branch. */
  readonly bases?: readonly string[] | undefined;
  /** Only parts of this run are read; undefined for all, as the last job of a run does. */
  readonly run?: string | undefined;
  /** What the keys of parts begin with, where the store cannot list its entries or does not list them yet (`jobPrefix`). */
  readonly prefixes?: readonly string[] | undefined;
}

/** Indexes of one scope that are joined: a run that ended at the same time may have written one that does not know the other. */
const INDEXES_READ = 2;

const newestFirst = (entries: readonly CacheEntry[]): CacheEntry[] =>
  [...entries].sort((a, b) => b.created - a.created || (a.key < b.key ? 1 : -1));

/** The entries with indexes that count for a run, the most trusted first. */
function indexKeys(entries: readonly CacheEntry[], { ref, bases = [], run }: Gathering): string[] {
  const own = (entry: CacheEntry): boolean => entry.ref === undefined || entry.ref === ref;
  const indexes = newestFirst(entries.filter(({ key }) => kindOfKey(key) === 'index'));
  const parts = newestFirst(entries.filter((entry) => own(entry) && kindOfKey(entry.key) === 'part'));
  // A pull request's own index is older than its base's as soon as that moves.
  const ofBases = bases.flatMap((base) => indexes.find((entry) => !own(entry) && entry.ref === base) ?? []);
  const wanted = parts.filter(({ key }) => run === undefined || key.startsWith(partsPrefix(run)));
  return [...indexes.filter(own).slice(0, INDEXES_READ), ...ofBases, ...wanted].map(({ key }) => key);
}

/**
 * Reads all indexes that count for a run and joins them, without the packs that are gone, where the store can say so. Throws as
 * `restoreIndex` does.
 */
export async function gatherIndex(
  world: CacheWorld,
  entries: readonly CacheEntry[] | undefined,
  gathering: Gathering,
): Promise<RestoredIndex> {
  if (!entries) return await restoreIndex(world, { prefixes: gathering.prefixes ?? [] });
  const { run } = gathering;
  const there = new Set(entries.map(({ key }) => key));
  const keys = indexKeys(entries, gathering);
  // What a job stored a moment ago may not be listed yet. A run's last job has waited for all, and would ask in vain for those that stored nothing.
  const unseen =
    run === undefined ? [] : (gathering.prefixes ?? []).filter((prefix) => !keys.some((key) => key.startsWith(prefix)));
  const isThere = (key: string): boolean => there.has(key) || (run !== undefined && isPackOfRun(key, run));
  // Where packs are listed, their index may not be listed yet, and would be missed: nothing would name them.
  const mayBeMerged = entries.some(({ key }) => kindOfKey(key) !== undefined);
  return await restoreIndex(world, { keys, prefixes: unseen, isThere, mayBeMerged });
}
