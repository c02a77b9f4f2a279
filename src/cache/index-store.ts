import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { countText } from '../core/count.ts';
import type { Effects } from '../core/effects.ts';
import { fileError } from '../core/file-error.ts';
import { type CacheIndex, EMPTY_INDEX } from './cache-index.ts';
import { decodeIndex, encodeIndex, INDEX_FILE_LIMIT } from './index-file.ts';
import { INDEX_PREFIX, isIndexKey } from './keys.ts';
import { keepPacks, mergeIndexes } from './merge.ts';
import type { CacheStore, SaveOutcome } from './store.ts';

export interface CacheWorld extends Pick<Effects, 'log'> {
  readonly store: CacheStore;
  /** A folder of this process's own, with room for a pack. */
  readonly folder: string;
}

/** What was found in the store. */
export interface RestoredIndex {
  readonly index: CacheIndex;
  /** Keys of the entries that it was joined from, the most trusted first. */
  readonly keys: readonly string[];
  /**
   * Whether a merged index may be written and entries deleted: not where a newer version of this project keeps its index
   * under the same keys.
   */
  readonly isOurs: boolean;
  /** Whether the others say anything that the newest merged index does not. */
  readonly isNew: boolean;
  /** What the newest one names and the store has dropped by itself. */
  readonly gone: Gone;
}

interface Gone {
  readonly packs: number;
  readonly paths: number;
}

/** @internal Which indexes are read beside the newest merged one. */
export interface IndexQuery {
  /** Exact keys: parts of this run's jobs, or indexes of other refs, as a list of the store's entries shows them. */
  readonly keys?: readonly string[];
  /** What keys of single jobs begin with (`jobPrefix`), where the store cannot list; the newest of each is read. */
  readonly prefixes?: readonly string[];
  /** Whether there may be a merged index; where there is none the store need not be asked. Default: yes. */
  readonly mayBeMerged?: boolean;
  /** Whether the pack of a key is in the store, where that is known; paths in others are left out of each index by itself. */
  readonly isThere?: (key: string) => boolean;
}

/**
 * Reads and joins the indexes of a store: the newest merged one, and what is asked for. What is not there, damaged or of
 * another version counts as nothing, with one line in the log. Throws UserError `cancelled` and `file` as the store does.
 */
export async function restoreIndex(world: CacheWorld, query: IndexQuery = {}): Promise<RestoredIndex> {
  const { store, folder, log } = world;
  const file = join(folder, 'restored-index');
  const found = new Map<string, CacheIndex>();
  let isOurs = true;
  let gone: Gone = { packs: 0, paths: 0 };
  async function take(key: string | undefined): Promise<void> {
    if (key === undefined || found.has(key)) return;
    const decoded = await readIndexFile(file);
    if (decoded.kind === 'index') {
      const left = present(decoded.index, query);
      if (found.size === 0) gone = missing(decoded.index, left, world);
      found.set(key, left);
    } else log.warn(`the cache's index ${key} of ${store.name} is not used: ${decoded.why}`);
    if (decoded.kind === 'newer') isOurs = false;
  }
  try {
    const merged = query.mayBeMerged === false ? [] : [INDEX_PREFIX];
    for (const prefix of [...merged, ...(query.prefixes ?? [])]) await take(await store.restoreNewest(prefix, file));
    for (const key of query.keys ?? []) {
      if (found.has(key)) continue;
      if (await store.restore(key, file)) await take(key);
      else if (!isIndexKey(key)) log.warn(`the cache lost what a job stored: ${key} of ${store.name} is gone`);
    }
  } finally {
    await rm(file, { force: true });
  }
  const [newest] = found;
  if (newest === undefined) return { index: EMPTY_INDEX, keys: [], isOurs, isNew: false, gone };
  const index = mergeIndexes([...found.values()]);
  const isNew = !isIndexKey(newest[0]) || !isSame(index, mergeIndexes([newest[1]]));
  return { index, keys: [...found.keys()], isOurs, isNew, gone };
}

const isSame = (a: CacheIndex, b: CacheIndex): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The index without what is gone. */
const present = (index: CacheIndex, { isThere }: IndexQuery): CacheIndex =>
  isThere ? keepPacks(index, ({ key }) => isThere(key)) : index;

/** Says what is gone. Of older indexes nobody is told: their packs were deleted for good reason. */
function missing(index: CacheIndex, left: CacheIndex, { store, log }: CacheWorld): Gone {
  const packs = index.packs.length - left.packs.length;
  const paths = index.paths.length - left.paths.length;
  if (packs > 0) {
    log.info(
      `${countText(packs, 'pack')} of the cache can no longer be found in ${store.name}: ${countText(paths, 'path')} will be built again`,
    );
  }
  return { packs, paths };
}

async function readIndexFile(file: string) {
  try {
    const { size } = await stat(file);
    // Read as far as decodeIndex takes it, and one byte more, which it refuses.
    if (size > INDEX_FILE_LIMIT) return decodeIndex(new Uint8Array(INDEX_FILE_LIMIT + 1));
    return decodeIndex(await readFile(file));
  } catch (error) {
    throw fileError(error, file, 'read');
  }
}

/** Stores an index under `key`. Everything that it names must be in the store by then. */
export async function storeIndex({ store, folder }: CacheWorld, key: string, index: CacheIndex): Promise<SaveOutcome> {
  const file = join(folder, 'stored-index');
  try {
    await writeFile(file, encodeIndex(index));
    return await store.save(key, file);
  } catch (error) {
    throw fileError(error, file, 'write');
  } finally {
    await rm(file, { force: true });
  }
}
