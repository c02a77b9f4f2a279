import { cancelled, UserError } from '../core/error.ts';
import { type BudgetPlan, planBudget } from './budget.ts';
import type { CachedClosure, CachedPath, CacheIndex } from './cache-index.ts';
import { type HouseRules, type HouseWorld, lookAround, REWRITE_LIMIT, removeEntries } from './house.ts';
import { storeIndex } from './index-store.ts';
import { type JobAttempt, partKey } from './keys.ts';
import type { NeededPaths, NewPath, ReadNar } from './new-path.ts';
import { inPackOrder } from './pack-order.ts';
import { PackUploads } from './store-packs.ts';

/** @internal */
export interface SaveInput {
  readonly attempt: JobAttempt;
  readonly rules: HouseRules;
  /** What is cached already. */
  readonly index: CacheIndex;
  /** What this job built, selected: no images, nothing that a substituter has. */
  readonly built: readonly NewPath[];
  readonly needed: readonly NeededPaths[];
  readonly readNar: ReadNar;
  /** Bytes of a pack. */
  readonly packLimit?: number;
}

interface SaveReport {
  /** Paths that are stored now and were not before. */
  readonly stored: readonly CachedPath[];
  readonly packs: number;
  readonly bytes: number;
  /** What was to be stored and is not. */
  readonly lost: number;
  readonly plan: BudgetPlan;
}

const DAY = 86_400_000;

/** An image's closure that has not changed is told again after this time, so that a current one is told from a forgotten one. */
const TOLD_FOR = 7 * DAY;

/**
 * Stores what a build job made and what is worth it: decides first, then makes room, then stores packs, and in the end the
 * part of the index that names them, which the run's last job merges. What fails is one line in the log and no failure of the job. An
 * equal second run stores nothing. Throws UserError `cancelled` alone.
 */
export async function saveCache(world: HouseWorld, input: SaveInput): Promise<SaveReport> {
  const { log } = world;
  const around = await lookAround(world, input.rules);
  const known = new Set(input.index.paths.map(({ path }) => path));
  const candidates = input.built.filter(({ path }) => !known.has(path));
  const index = { ...input.index, closures: [...input.index.closures, ...closuresOf(input, around.now)] };
  const plan = planBudget({ ...around, index, candidates, rewrite: REWRITE_LIMIT });
  if (plan.admitted.length > 0 && plan.before > 0 && input.rules.governs) await makeRoom(world, plan);
  const admitted = new Set(plan.admitted.map(({ path }) => path));
  const wanted = candidates.filter(({ path }) => admitted.has(path));
  const uploads = new PackUploads(world, input.attempt, input.packLimit);
  const { packed, why: broken } = await packAll(world, inPackOrder(wanted, index.closures), {
    input,
    uploads,
    now: around.now,
  });
  const part = await uploads.end(packed).catch((error: unknown) => {
    if (isCancelled(error)) throw error;
    uploads.stopped ??= broken ?? messageOf(error);
    return { version: input.index.version, packs: [], paths: [] };
  });
  const closures = changedClosures(input, around.now);
  let isNamed = true;
  if (part.paths.length > 0 || closures.length > 0) {
    const outcome = await named(world, partKey(input.attempt), { ...part, closures });
    isNamed = outcome === undefined;
    uploads.stopped ??= outcome;
  }
  const stored = isNamed ? part.paths : [];
  const lost = wanted.length - stored.length;
  if (lost > 0) {
    const why = uploads.stopped ?? broken ?? 'see above';
    log.warn(`${lost} of ${wanted.length} built paths are not in the cache and will be built again: ${why}`);
  }
  const bytes = part.packs.reduce((sum, pack) => sum + pack.bytes, 0);
  return { stored, packs: part.packs.length, bytes, lost, plan };
}

/** Stores an index, and gives what went wrong. */
async function named(world: HouseWorld, key: string, index: CacheIndex): Promise<string | undefined> {
  try {
    const { kind, why } = await storeIndex(world, key, index);
    return kind === 'saved' ? undefined : (why ?? `${world.store.name} does not take the index: ${kind}`);
  } catch (error) {
    if (isCancelled(error)) throw error;
    return messageOf(error);
  }
}

/** Only as much as is missing: deleting takes a second an entry at GitHub, and the run's last job does the rest. */
async function makeRoom(world: HouseWorld, plan: BudgetPlan): Promise<void> {
  const gone = plan.removed.reduce((sum, { entry }) => sum + entry.bytes, 0);
  let missing = plan.after + gone - plan.limit;
  const needed = plan.removed.filter(({ entry }) => {
    if (missing <= 0) return false;
    missing -= entry.bytes;
    return true;
  });
  if (needed.length > 0) await removeEntries(world, needed);
}

interface Packing {
  readonly input: SaveInput;
  readonly uploads: PackUploads;
  readonly now: number;
}

async function packAll(
  { log }: HouseWorld,
  groups: readonly (readonly NewPath[])[],
  { input, uploads, now }: Packing,
): Promise<{ readonly packed: readonly CachedPath[]; readonly why?: string }> {
  const packed: CachedPath[] = [];
  for (const [place, path] of groups.flatMap((group) => [...group.entries()])) {
    if (uploads.stopped !== undefined) break;
    try {
      if (place === 0) await uploads.writer.cut();
      await input.readNar(path.path, async (nar) => {
        const pieces = await uploads.writer.add(path, nar);
        packed.push({ ...path, references: [...path.references], pieces, used: now });
      });
    } catch (error) {
      if (isCancelled(error)) {
        await uploads.writer.abandon();
        throw cancelled(error);
      }
      // No room on the disk, or no more uploads: the next path would fare the same.
      if (error instanceof UserError && error.code === 'file') return { packed, why: error.message };
      if (uploads.stopped === undefined) log.warn(`not stored in the cache: ${messageOf(error)}`);
    }
  }
  return { packed };
}

const closuresOf = ({ needed }: Pick<SaveInput, 'needed'>, now: number): CachedClosure[] =>
  needed.map(({ system, image, paths }) => ({ system, image, at: now, paths: [...paths].sort() }));

/** Closures that the index does not have as they are, or has had for long. */
const changedClosures = (input: SaveInput, now: number): CachedClosure[] =>
  closuresOf(input, now).filter((closure) => {
    const before = input.index.closures.find(
      ({ system, image }) => system === closure.system && image === closure.image,
    );
    return !before || before.at + TOLD_FOR < now || before.paths.join() !== closure.paths.join();
  });

const isCancelled = (error: unknown): boolean => error instanceof UserError && error.code === 'cancelled';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
