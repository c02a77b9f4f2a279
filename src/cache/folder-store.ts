import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { fileError, isMissing } from '../core/file-error.ts';
import type { CacheEntry, CacheStore, RemoveOutcome, SaveOutcome, StoreLimits } from './store.ts';

/** Names of entries that are being written; nobody reads them. */
const UNFINISHED = '.unfinished-';

const KEY = /^[0-9A-Za-z_][0-9A-Za-z_.-]{0,250}$/;

/**
 * A cache in a folder: of a laptop, or of another CI that keeps folders. An entry is a file; its time of change says when it
 * was last used. Several processes may use it at once.
 */
export class FolderStore implements CacheStore {
  readonly name: string;
  readonly #path: string;
  readonly #limits: StoreLimits | undefined;
  readonly #world: Pick<Effects, 'log' | 'clock'>;

  constructor(path: string, limits: StoreLimits | undefined, world: Pick<Effects, 'log' | 'clock'>) {
    this.name = `folder ${path}`;
    this.#path = path;
    this.#limits = limits;
    this.#world = world;
  }

  async restoreNewest(prefix: string, file: string): Promise<string | undefined> {
    const fitting = (await this.list()).filter(({ key }) => key.startsWith(prefix));
    fitting.sort((a, b) => b.created - a.created || (a.key < b.key ? 1 : -1));
    for (const { key } of fitting) if (await this.restore(key, file)) return key;
    return undefined;
  }

  async restore(key: string, file: string): Promise<boolean> {
    const entry = this.#entry(key);
    try {
      await stat(entry);
    } catch (error) {
      if (!isMissing(error)) this.#world.log.warn(`cannot read ${entry} of the cache: ${messageOf(error)}`);
      return false;
    }
    try {
      await copyFile(entry, file);
    } catch (error) {
      // Deleted meanwhile; anything else may be the fault of the disk that is written to.
      if (isMissing(error)) return false;
      throw fileError(error, file, 'write');
    }
    await this.touch(key);
    return true;
  }

  async save(key: string, file: string): Promise<SaveOutcome> {
    const entry = this.#entry(key);
    const unfinished = join(this.#path, UNFINISHED + randomUUID());
    try {
      await mkdir(this.#path, { recursive: true });
      if (await isThere(entry)) return { kind: 'exists' };
      await copyFile(file, unfinished);
      // Two that save one key at once save the same bytes, or differ in the attempt that is a part of the key.
      await rename(unfinished, entry);
      return { kind: 'saved' };
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => undefined);
      return { kind: 'failed', why: messageOf(error) };
    }
  }

  async touch(key: string): Promise<boolean> {
    const entry = this.#entry(key);
    try {
      const { mtime } = await stat(entry);
      await utimes(entry, new Date(this.#world.clock.now()), mtime);
      return true;
    } catch {
      return false;
    }
  }

  async list(): Promise<readonly CacheEntry[]> {
    let names: readonly string[];
    try {
      names = await readdir(this.#path);
    } catch (error) {
      if (!isMissing(error)) this.#world.log.warn(`cannot list ${this.name}: ${messageOf(error)}`);
      return [];
    }
    const entries = await Promise.all(names.filter((name) => KEY.test(name)).map((name) => this.#describe(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  async #describe(key: string): Promise<CacheEntry | undefined> {
    try {
      const { size, mtimeMs, atimeMs } = await stat(this.#entry(key));
      return { id: key, key, bytes: size, created: Math.floor(mtimeMs), used: Math.floor(Math.max(atimeMs, mtimeMs)) };
    } catch {
      return undefined;
    }
  }

  async remove({ key }: CacheEntry): Promise<RemoveOutcome> {
    try {
      await rm(this.#entry(key));
      return { kind: 'removed' };
    } catch (error) {
      return isMissing(error) ? { kind: 'gone' } : { kind: 'denied', why: messageOf(error) };
    }
  }

  limits(): Promise<StoreLimits | undefined> {
    return Promise.resolve(this.#limits);
  }

  /** Throws TypeError (a bug) on a key that is not one file name. */
  #entry(key: string): string {
    if (!KEY.test(key)) throw new TypeError(`not a key of the cache: ${JSON.stringify(key)}`);
    return join(this.#path, key);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
