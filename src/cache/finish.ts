import { UserError } from '../core/error.ts';
import { type BudgetPlan, planBudget } from './budget.ts';
import type { CachedClosure, CacheIndex } from './cache-index.ts';
import { compact } from './compact.ts';
import { gatherIndex } from './gather.ts';
import { type HouseRules, type HouseWorld, lookAround, REWRITE_LIMIT, removeEntries } from './house.ts';
import { type RestoredIndex, storeIndex } from './index-store.ts';
import { indexKey, type JobAttempt, kindOfKey } from './keys.ts';
import { keepPacks } from './merge.ts';

/** @internal */
export interface FinishInput {
  readonly attempt: JobAttempt;
  readonly rules: HouseRules;
  /** What the parts of this run's jobs begin with, where the store cannot list its entries. */
  readonly prefixes?: readonly string[];
  /** The images that there are now, by system and name; undefined where that is not known. */
  readonly images?: readonly { readonly system: string; readonly image: string }[] | undefined;
  /** Bytes of a pack. */
  readonly packLimit?: number | undefined;
}

interface FinishReport {
  readonly index: CacheIndex;
  readonly plan: BudgetPlan;
  /** What was really deleted. */
  readonly removed: { readonly entries: number; readonly bytes: number };
  /** Whether a new index was stored. */
  readonly isStored: boolean;
}

const DAY = 86_400_000;

/** Days after which an image that no job has told of is taken for one that is no longer built. */
const FORGOTTEN_AFTER = 60 * DAY;

/** What a run's last job finds, and would do. */
interface Prepared {
  readonly around: Awaited<ReturnType<typeof lookAround>>;
  readonly gathered: RestoredIndex;
  readonly merged: CacheIndex;
  readonly plan: BudgetPlan;
}

/** Reads what there is and plans, without changing anything. Throws UserError `cancelled` and `file`. */
export async function prepareFinish(world: HouseWorld, input: FinishInput): Promise<Prepared> {
  const around = await lookAround(world, input.rules);
  const gathered = await gatherIndex(world, around.entries, { ...input.rules, prefixes: input.prefixes ?? [] });
  const closures = gathered.index.closures.filter((closure) => isCurrent(closure, input, around.now));
  const merged = { ...gathered.index, closures };
  const plan = planBudget({ ...around, index: merged, candidates: [], rewrite: REWRITE_LIMIT });
  return { around, gathered, merged, plan };
}

/**
 * Ends a run, as its only writer: merges the parts of the build jobs into the index, keeps the store within its limit by the plan
 * of the budget, and stores the new index before it deletes what only the old one names. What the store refuses is one line in the log.
 * Throws UserError `cancelled`, and `file` where nothing could be read.
 */
export async function finishCache(world: HouseWorld, input: FinishInput): Promise<FinishReport> {
  const { store, log } = world;
  const { around, gathered, merged, plan } = await prepareFinish(world, input);
  const nothing: FinishReport = { index: merged, plan, removed: { entries: 0, bytes: 0 }, isStored: false };
  if (!gathered.isOurs) {
    log.warn(`the cache is left as it is: a newer version of nix-images keeps its index in ${store.name}`);
    return nothing;
  }
  const parts = around.entries?.filter(({ key }) => gathered.keys.includes(key) && kindOfKey(key) === 'part') ?? [];
  const hasParts = gathered.keys.some((key) => kindOfKey(key) === 'part');
  const isChanged = hasParts || plan.removed.length > 0 || plan.compacted.length > 0;
  if (!isChanged) return nothing;
  const removed = await removeEntries(world, plan.removed);
  if (!gathered.isNew && removed.keys.size === 0 && (removed.isDenied || plan.compacted.length === 0)) {
    // The index has what these parts say: they are left from a run that did not delete them, or could not.
    const old = removed.isDenied ? [] : parts.map((entry) => ({ entry, why: 'nothing in it is needed' as const }));
    const { keys, bytes } = await removeEntries(world, old);
    return { ...nothing, removed: { entries: keys.size, bytes } };
  }
  const remaining = keepPacks(merged, ({ key }) => !removed.keys.has(key));
  // Without the right to delete, new packs would come on top of the old ones.
  const index = removed.isDenied ? remaining : await compacted(world, remaining, { merged, plan, input });
  const outcome = await storeIndex(world, indexKey(input.attempt), index).catch((error: unknown) => failed(error));
  if (outcome.kind !== 'saved') {
    log.warn(`what this run stored is not in the cache's index: ${outcome.why ?? outcome.kind}`);
    return { ...nothing, removed: { entries: removed.keys.size, bytes: removed.bytes } };
  }
  const named = new Set(index.packs.map(({ key }) => key));
  const going = new Set(plan.compacted.map((pack) => merged.packs[pack]?.key ?? '').filter((key) => !named.has(key)));
  const replaced = around.entries?.filter(
    ({ key, ref }) => going.has(key) && (ref === undefined || ref === input.rules.ref),
  );
  const late = removed.isDenied ? [] : [...(replaced ?? []), ...parts];
  const after = await removeEntries(
    world,
    late.map((entry) => ({ entry, why: 'nothing in it is needed' })),
  );
  return {
    index,
    plan,
    removed: { entries: removed.keys.size + after.keys.size, bytes: removed.bytes + after.bytes },
    isStored: true,
  };
}

interface Compacting {
  readonly merged: CacheIndex;
  readonly plan: BudgetPlan;
  readonly input: FinishInput;
}

/** A full disk or a damaged pack keeps the packs as they are; it does not keep the index from being written. */
async function compacted(
  world: HouseWorld,
  index: CacheIndex,
  { merged, plan, input }: Compacting,
): Promise<CacheIndex> {
  const keys = new Set(plan.compacted.map((pack) => merged.packs[pack]?.key));
  const packs = index.packs.flatMap(({ key }, at) => (keys.has(key) ? [at] : []));
  if (packs.length === 0) return index;
  const { attempt, packLimit } = input;
  try {
    return await compact(world, index, { packs, kept: plan.kept, attempt, packLimit });
  } catch (error) {
    world.log.warn(`packs of the cache stay as they are: ${failed(error).why}`);
    return index;
  }
}

/** What a failure is to a run that goes on. Throws it when the run must not. */
function failed(error: unknown): { readonly kind: 'failed'; readonly why: string } {
  if (error instanceof UserError && error.code !== 'cancelled') return { kind: 'failed', why: error.message };
  throw error;
}

const isCurrent = ({ system, image, at }: CachedClosure, { images }: FinishInput, now: number): boolean =>
  images ? images.some((one) => one.system === system && one.image === image) : at + FORGOTTEN_AFTER > now;
