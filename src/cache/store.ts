/** What is stored under one key. Entries never change: what is new has a new key. */
export interface CacheEntry {
  /** By which the store deletes it: several entries may have one key, in different scopes. */
  readonly id: string;
  readonly key: string;
  /** The git ref in whose scope it is; undefined where the store knows no scopes. */
  readonly ref?: string | undefined;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** When it was last read or written, in milliseconds since 1970. */
  readonly used: number;
}

/** What became of an entry that was to be stored. Only `saved` and `exists` mean that it can be read. */
export interface SaveOutcome {
  /**
   * `exists`: the key is taken, by the same bytes or by another attempt. `read-only`: this job may not write.
   * `limited`: too many uploads, see `until`. `failed`: anything else, see `why`.
   */
  readonly kind: 'saved' | 'exists' | 'read-only' | 'limited' | 'failed';
  /** When uploads are taken again, in milliseconds since 1970, where the store says so. */
  readonly until?: number | undefined;
  /** What the store said, for one line of the log. */
  readonly why?: string | undefined;
}

export interface RemoveOutcome {
  /** `denied`: this job may not delete, `why` names the permission. `failed`: anything else. */
  readonly kind: 'removed' | 'gone' | 'denied' | 'failed';
  readonly why?: string | undefined;
}

/** How much a store keeps, and for how long. */
export interface StoreLimits {
  readonly bytes: number;
  /** Days after which an entry that nobody used is dropped by the store itself. */
  readonly idleDays: number;
}

/**
 * Where packs and indexes are kept: GitHub's cache, a folder, an OCI registry. A store may lose entries at any time, so no
 * method throws for what a store may do (missing entries, refusals, broken connections); it says so in the log.
 * All of them throw UserError `cancelled` when the job is cancelled, and UserError `file` when this machine's disk refuses.
 */
export interface CacheStore {
  /** As log and errors call it: `GitHub's cache`, `folder /x`, `ghcr.io/x/cache`. */
  readonly name: string;
  /**
   * Writes the newest entry whose key begins with `prefix` to `file`, and gives its key; undefined when there is none.
   * GitHub looks in the own ref first, then in that of the base, then in the default branch.
   */
  restoreNewest(prefix: string, file: string): Promise<string | undefined>;
  /** Writes the entry of exactly this key to `file`; false when it is not there (any longer), and `file` may be half written. */
  restore(key: string, file: string): Promise<boolean>;
  /** Gets ready for a `restore` that comes soon, where that takes time and nothing else is under way; nothing is lost where none comes. */
  prepare?(): void;
  save(key: string, file: string): Promise<SaveOutcome>;
  /** Has the store count an entry as used just now, with as few bytes as it takes; false when it is not there. */
  touch(key: string): Promise<boolean>;
  /** All entries that count against the limit, others' too, of all pages; undefined where this job cannot list. */
  list(): Promise<readonly CacheEntry[] | undefined>;
  remove(entry: CacheEntry): Promise<RemoveOutcome>;
  /** Undefined where the store has no limit, or does not say. */
  limits(): Promise<StoreLimits | undefined>;
}
