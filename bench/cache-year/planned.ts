import { type BudgetPlan, currentPaths, planBudget, type StoreCandidate } from '../../src/cache/budget.ts';
import { type CachedPath, type CacheIndex, EMPTY_INDEX, INDEX_VERSION } from '../../src/cache/cache-index.ts';
import { REWRITE_LIMIT } from '../../src/cache/house.ts';
import { packKey } from '../../src/cache/keys.ts';
import { keepPacks, mergeIndexes } from '../../src/cache/merge.ts';
import { inPackOrder } from '../../src/cache/pack-order.ts';
import { LEAST_PACK, PACK_LIMIT } from '../../src/cache/pack-writer.ts';
import type { BuiltFact } from './packages.ts';
import type { Policy } from './rivals.ts';
import { SERVICE, Service } from './service.ts';
import type { Run } from './year.ts';

const HOUR = 3_600_000;

/** What the plan takes a NAR to shrink to; the trace has packed bytes. */
const PACKED_SHARE = 0.35;

/** Hours without use after which the keep-alive reads a pack. */
const KEEP_ALIVE_AFTER = 72;

export interface PlannedOptions {
  /** Bytes of a pack; 0 for one path a pack. */
  readonly packLimit: number;
  /** Whether packs that nobody has used for three days are read twice a week. */
  readonly isKeptAlive: boolean;
  /** The part of the service's limit that is used. */
  readonly share: number;
}

export const PACKED: PlannedOptions = { packLimit: PACK_LIMIT, isKeptAlive: true, share: 0.9 };

/**
 * What this project does, with its own code: admission before upload, one merge at the end of a run, deleting by plan, packs
 * written again. Pull requests read and store nothing, as those of forks.
 */
export class Planned implements Policy {
  readonly service = new Service();
  readonly #options: PlannedOptions;
  #index: CacheIndex = EMPTY_INDEX;
  #packs = 0;
  /** Bytes that were fetched, and those of them that nobody asked for. */
  fetched = 0;
  inVain = 0;

  constructor(options: PlannedOptions) {
    this.#options = options;
  }

  run(run: Run): ReadonlySet<string>[] {
    this.#index = keepPacks(this.#index, ({ key }) => this.service.has(key));
    const cached = new Map(this.#index.paths.map((path) => [path.path, path]));
    const served = run.jobs.map(
      ({ paths }) => new Set(paths.map(({ path }) => path).filter((path) => cached.has(path))),
    );
    for (const paths of served) this.#read([...paths].flatMap((path) => cached.get(path) ?? []));
    if (!run.isPullRequest && run.jobs.length > 0) this.#store(run);
    return served;
  }

  #read(paths: readonly CachedPath[]): void {
    const pieces = paths.flatMap((path) => path.pieces);
    const packs = new Set(pieces.map(({ pack }) => pack));
    for (const pack of packs) this.service.read(this.#index.packs[pack]?.key ?? '');
    const fetched = [...packs].reduce((sum, pack) => sum + (this.#index.packs[pack]?.bytes ?? 0), 0);
    this.fetched += fetched;
    this.inVain += fetched - pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** Twice a week: one byte of each pack that a current image needs. */
  keepAlive(hour: number): void {
    if (!this.#options.isKeptAlive) return;
    const current = currentPaths(this.#index);
    const pieces = this.#index.paths.flatMap((path) => (current.has(path.path) ? path.pieces : []));
    const needed = new Set(pieces.map(({ pack }) => this.#index.packs[pack]?.key));
    for (const { key, used } of this.service.entries()) {
      if (needed.has(key) && hour - used >= KEEP_ALIVE_AFTER) this.service.read(key);
    }
  }

  #plan(index: CacheIndex, hour: number, candidates: readonly StoreCandidate[]): BudgetPlan {
    const entries = this.service.entries().map(({ key, bytes }) => ({ id: key, key, bytes, created: 0, used: 0 }));
    return planBudget({
      now: hour * HOUR,
      limit: SERVICE.bytes * this.#options.share,
      ceiling: SERVICE.bytes,
      ref: undefined,
      governs: true,
      entries,
      index,
      candidates,
      deadRefs: new Set(),
      rewrite: this.#options.packLimit === 0 ? 0 : REWRITE_LIMIT,
    });
  }

  #store({ hour, jobs }: Run): void {
    const now = hour * HOUR;
    const closures = jobs.map(({ system, image, paths }) => ({
      system,
      image,
      at: now,
      paths: paths.map(({ path }) => path),
    }));
    const known = new Set(this.#index.paths.map(({ path }) => path));
    const built = new Map(jobs.flatMap(({ paths }) => paths.map((one) => [one.path, one] as const)));
    const fresh = [...built.values()].filter(({ path }) => !known.has(path));
    const index = mergeIndexes([this.#index, { ...EMPTY_INDEX, closures }]);
    const candidates = fresh.map((one) => ({ ...one, narSize: Math.floor(one.bytes / PACKED_SHARE) }));
    const plan = this.#plan(index, hour, candidates);
    for (const { entry } of plan.removed) this.service.remove(entry.key);
    const admitted = new Set(plan.admitted.map(({ path }) => path));
    const packed = this.#pack(
      fresh.filter(({ path }) => admitted.has(path)),
      now,
      index.closures,
    );
    const merged = mergeIndexes([keepPacks(index, ({ key }) => this.service.has(key)), packed]);
    this.#finish(merged, hour);
  }

  #finish(merged: CacheIndex, hour: number): void {
    const plan = this.#plan(merged, hour, []);
    for (const { entry } of plan.removed) this.service.remove(entry.key);
    const going = new Set(plan.compacted);
    const moved = merged.paths.filter(
      ({ path, pieces }) => plan.kept.has(path) && pieces.some(({ pack }) => going.has(pack)),
    );
    const names = new Set(moved.map(({ path }) => path));
    const again = this.#pack(
      moved.map((path) => ({ ...path, bytes: path.pieces.reduce((sum, { length }) => sum + length, 0) })),
      hour * HOUR,
      merged.closures,
    );
    const keys = new Set([...going].map((pack) => merged.packs[pack]?.key ?? ''));
    for (const key of keys) this.service.remove(key);
    const rest = { ...merged, paths: merged.paths.filter(({ path }) => !names.has(path)) };
    this.#index = mergeIndexes([keepPacks(rest, ({ key }) => this.service.has(key)), again]);
  }

  /** What the writer of packs does, without bytes. */
  #pack(paths: readonly BuiltFact[], now: number, closures: CacheIndex['closures']): CacheIndex {
    const limit = this.#options.packLimit;
    const packs: number[] = [];
    const groups = inPackOrder(
      paths.map((one) => ({ ...one, narSize: one.bytes })),
      closures,
    );
    const entries = groups.flatMap((group) => [...group.entries()]);
    const placed = entries.map(([place, one]): CachedPath => {
      const pieces: { pack: number; offset: number; length: number }[] = [];
      if (place === 0 && (packs.at(-1) ?? 0) >= LEAST_PACK) packs.push(0);
      for (let left = one.bytes; left > 0; ) {
        const full = (packs.at(-1) ?? limit) >= limit || (limit === 0 && pieces.length === 0);
        if (packs.length === 0 || full) packs.push(0);
        const pack = packs.length - 1;
        const offset = packs[pack] ?? 0;
        const length = limit === 0 ? left : Math.min(left, limit - offset);
        packs[pack] = offset + length;
        pieces.push({ pack, offset, length });
        left -= length;
      }
      const { path, seconds, system, image, isLeaf, bytes, references } = one;
      return {
        path,
        seconds,
        system,
        image,
        isLeaf,
        used: now,
        narHash: '',
        narSize: bytes,
        references: [...references],
        pieces,
      };
    });
    const named = packs.map((bytes) => {
      this.#packs += 1;
      const sha256 = this.#packs.toString(16).padStart(64, '0');
      return { key: packKey(sha256, { run: '1', attempt: 1, system: 's', job: 'j' }), bytes, sha256 };
    });
    for (const { key, bytes } of named) this.service.save(key, bytes);
    return { version: INDEX_VERSION, packs: named, paths: placed, closures: [] };
  }
}
