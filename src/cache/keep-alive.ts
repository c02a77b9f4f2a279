import type { Effects } from '../core/effects.ts';
import { type CacheWorld, restoreIndex } from './index-store.ts';
import type { CacheEntry } from './store.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Days before a store drops an unused entry in which it is touched: a run every second day may then be late or left out once. */
const AHEAD = 5;

/** Days after which stores drop what nobody used, where they do not say: GitHub's. */
const USUAL_IDLE_DAYS = 7;

/** What keeping a cache alive came to, in packs. */
export interface KeptAlive {
  readonly packs: number;
  readonly touched: number;
  /** Used so recently that they need nothing. */
  readonly recent: number;
  readonly gone: number;
}

/**
 * Has the store count the packs of its index as used, as far as they would be dropped soon. Reading the index is use of it.
 * Entries of other refs are left to their own runs: nobody keeps a branch alive whose work rests.
 * Throws UserError `cancelled` and `file` as the store does.
 */
export async function keepAlive({ clock, ...world }: CacheWorld & Pick<Effects, 'clock'>): Promise<KeptAlive> {
  const { store, log } = world;
  const { index } = await restoreIndex(world);
  const idleDays = (await store.limits())?.idleDays ?? USUAL_IDLE_DAYS;
  const used = lastUses((await store.list()) ?? []);
  const recentFrom = clock.now() - Math.max(0, idleDays - AHEAD) * DAY;
  let [touched, recent] = [0, 0];
  const gone: string[] = [];
  for (const { key } of index.packs) {
    if ((used.get(key) ?? 0) > recentFrom) recent += 1;
    else if (await store.touch(key)) touched += 1;
    else gone.push(key);
  }
  if (gone.length > 0) log.warn(`packs that ${store.name} no longer has: ${gone.join(', ')}`);
  return { packs: index.packs.length, touched, recent, gone: gone.length };
}

/** When each key was last used, in whatever ref that was longest ago: this run may read any of them. */
function lastUses(entries: readonly CacheEntry[]): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  for (const { key, used } of entries) uses.set(key, Math.min(used, uses.get(key) ?? used));
  return uses;
}
