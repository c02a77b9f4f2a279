import type { Effects } from '../core/effects.ts';
import type { BudgetInput } from './budget.ts';
import type { CacheWorld } from './index-store.ts';
import type { Obsolete } from './obsolete.ts';
import type { CacheEntry, CacheStore } from './store.ts';

/** What saving and merging need of the world. */
export interface HouseWorld extends CacheWorld, Pick<Effects, 'clock'> {}

/** What a run may do in the store, and how much of it may be used. */
export interface HouseRules extends Pick<BudgetInput, 'ref' | 'governs' | 'deadRefs'> {
  /** Other refs that this run may read: its base, the default branch. */
  readonly bases?: readonly string[] | undefined;
  /** Bytes for everything in the store; undefined for nine tenths of what the store itself has room for. */
  readonly limit?: number | undefined;
}

/** What GitHub gives a repository, and what is taken where a store does not say. */
const USUAL_LIMIT = 10_000_000_000;

/** The part of a store's limit that is used: other tools store too, and GitHub's own figures are five minutes behind. */
const USED_SHARE = 0.9;

/** Bytes of packs that a run reads and writes again: 5 s each way at 100 MB/s. */
export const REWRITE_LIMIT = 500_000_000;

/** What a plan needs to know of the store. */
export async function lookAround(
  { store, clock }: Pick<HouseWorld, 'store' | 'clock'>,
  { ref, governs, deadRefs, limit }: HouseRules,
): Promise<Omit<BudgetInput, 'index' | 'candidates' | 'rewrite'>> {
  const entries = await store.list();
  const ceiling = (await store.limits())?.bytes ?? USUAL_LIMIT;
  const planned = limit ?? Math.floor(ceiling * USED_SHARE);
  return { now: clock.now(), limit: planned, ceiling, ref, governs, deadRefs, entries };
}

/** What deleting came to. */
interface Removed {
  readonly keys: ReadonlySet<string>;
  readonly bytes: number;
  /** The store refuses to delete at all; it was not asked any further. */
  readonly isDenied: boolean;
}

/** Deletes entries one after another, in the order of the plan. The log says once where the store refuses. */
export async function removeEntries(
  { store, log }: { readonly store: CacheStore; readonly log: HouseWorld['log'] },
  obsolete: readonly (Pick<Obsolete, 'why'> & { readonly entry: CacheEntry })[],
): Promise<Removed> {
  const keys = new Set<string>();
  let bytes = 0;
  for (const { entry, why } of obsolete) {
    const outcome = await store.remove(entry);
    if (outcome.kind === 'denied') {
      log.warn(
        `the cache cannot make room: ${store.name} does not let this job delete: ${outcome.why ?? 'no reason given'}`,
      );
      return { keys, bytes, isDenied: true };
    }
    if (outcome.kind === 'failed') {
      log.warn(`cannot delete ${entry.key} from ${store.name}: ${outcome.why ?? 'no reason given'}`);
      continue;
    }
    log.debug(`deleted ${entry.key} (${entry.ref ?? 'no ref'}): ${why}`);
    keys.add(entry.key);
    bytes += entry.bytes;
  }
  return { keys, bytes, isDenied: false };
}
