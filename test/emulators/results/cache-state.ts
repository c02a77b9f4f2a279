import { randomUUID } from 'node:crypto';
import { BLOB_ROOT } from './blob-routes.ts';
import type { BlobStore } from './blob-store.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Milliseconds that an upload which never ends keeps its key (actions/cache 1541). */
const RESERVATION_MS = DAY_MS;

/** An entry of the cache, or the reservation of one. */
export interface CachedEntry {
  readonly id: number;
  readonly key: string;
  readonly version: string;
  readonly ref: string;
  /** Path of its blob. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  accessedAt: number;
  /** Bytes; undefined until the upload was finalized. Nobody sees the entry before. */
  size: number | undefined;
  /** From when on lookups find it. */
  seenFrom: number;
}

export interface CacheStateOptions {
  readonly blobs: BlobStore;
  readonly now: () => number;
  /** Bytes of all entries together. Default: 10 GB. */
  readonly limitBytes?: number;
  /** Days after which an entry that nobody reads goes. Default: 7. */
  readonly idleDays?: number;
  /** Milliseconds until lookups find a new entry. Default: 0. */
  readonly lag?: number;
  /** Whether a lookup alone counts as use; reading the blob always does. Nobody knows of GitHub's. Default: false. */
  readonly lookupCounts?: boolean;
}

const order = (a: CachedEntry, b: CachedEntry): number => b.createdAt - a.createdAt || b.id - a.id;

/** The caches of one repository, as both the results service and REST see them. */
export class CacheState {
  readonly #options: CacheStateOptions;
  readonly #entries = new Map<number, CachedEntry>();
  /** Keys that were evicted, in order. */
  readonly evicted: string[] = [];
  readonly limitBytes: number;
  readonly idleDays: number;
  #lastId = 500;
  #lastCheck: number;

  constructor(options: CacheStateOptions) {
    this.#options = options;
    this.limitBytes = options.limitBytes ?? 10e9;
    this.idleDays = options.idleDays ?? 7;
    this.#lastCheck = options.now();
  }

  /** All that are finalized, newest first. */
  all(): readonly CachedEntry[] {
    this.#catchUp();
    return [...this.#entries.values()].filter(({ size }) => size !== undefined).sort(order);
  }

  /** Takes the key for an upload; undefined when somebody has it already, or has begun to upload it. */
  reserve(ref: string, key: string, version: string): CachedEntry | undefined {
    this.#catchUp();
    if (this.find(ref, key, version)) return undefined;
    this.#lastId += 1;
    const now = this.#options.now();
    const path = `${BLOB_ROOT}caches/${randomUUID()}`;
    const entry = { ...{ id: this.#lastId, key, version, ref, path }, ...{ createdAt: now, accessedAt: now } };
    this.#entries.set(entry.id, { ...entry, size: undefined, seenFrom: Number.POSITIVE_INFINITY });
    return this.#entries.get(entry.id);
  }

  /** The entry or reservation of exactly this. */
  find(ref: string, key: string, version: string): CachedEntry | undefined {
    return [...this.#entries.values()].find(
      (entry) => entry.ref === ref && entry.key === key && entry.version === version,
    );
  }

  finalize(entry: CachedEntry, size: number): void {
    entry.size = size;
    entry.seenFrom = this.#options.now() + (this.#options.lag ?? 0);
  }

  /**
   * What a lookup finds in the first of `refs` that has anything: the key itself, else the newest entry that begins with it,
   * else with one of `prefixes` (docs.github.com, "Cache key matching").
   */
  lookUp(refs: readonly string[], version: string, keys: readonly string[]): CachedEntry | undefined {
    this.#catchUp();
    const now = this.#options.now();
    for (const ref of refs) {
      const here = this.all().filter(
        (entry) => entry.ref === ref && entry.version === version && entry.seenFrom <= now,
      );
      const found =
        here.find(({ key }) => key === keys[0]) ??
        keys.map((prefix) => here.find(({ key }) => key.startsWith(prefix))).find((entry) => entry !== undefined);
      if (!found) continue;
      if (this.#options.lookupCounts) found.accessedAt = now;
      return found;
    }
    return undefined;
  }

  /** The blob at `path` was read. */
  onRead(path: string): void {
    for (const entry of this.#entries.values()) if (entry.path === path) entry.accessedAt = this.#options.now();
  }

  remove(id: number): boolean {
    const entry = this.#entries.get(id);
    if (entry) this.#options.blobs.delete(entry.path);
    return this.#entries.delete(id);
  }

  /** What was evicted since: GitHub looks every hour, at what nobody used and at what is over the limit. */
  #catchUp(): void {
    const now = this.#options.now();
    for (; this.#lastCheck + HOUR_MS <= now; this.#lastCheck += HOUR_MS) {
      if (this.#entries.size === 0) {
        this.#lastCheck += Math.floor((now - this.#lastCheck) / HOUR_MS) * HOUR_MS;
        return;
      }
      this.#evict(this.#lastCheck + HOUR_MS);
    }
  }

  #evict(at: number): void {
    const final: CachedEntry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.size !== undefined) final.push(entry);
      else if (entry.createdAt + RESERVATION_MS <= at) this.#entries.delete(entry.id);
    }
    final.sort((a, b) => a.accessedAt - b.accessedAt || a.id - b.id);
    let total = final.reduce((sum, { size = 0 }) => sum + size, 0);
    for (const entry of final) {
      if (entry.accessedAt + this.idleDays * DAY_MS > at && total <= this.limitBytes) continue;
      total -= entry.size ?? 0;
      this.evicted.push(entry.key);
      this.remove(entry.id);
    }
  }
}
