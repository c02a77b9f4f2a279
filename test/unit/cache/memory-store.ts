import { readFile, writeFile } from 'node:fs/promises';
import type { CacheEntry, CacheStore, RemoveOutcome, SaveOutcome, StoreLimits } from '../../../src/cache/store.ts';

interface Faults {
  /** What a save comes to; undefined for that it is stored. */
  save?: (key: string, count: number) => SaveOutcome | undefined;
  remove?: (entry: CacheEntry) => RemoveOutcome | undefined;
  /** Runs before each call. */
  before?: (what: string) => void;
  cannotList?: boolean;
}

/** A store in memory, with the scopes of GitHub's cache as far as one ref and the default branch go, and with faults. */
export class MemoryStore implements CacheStore {
  readonly name = 'the test store';
  readonly entries = new Map<string, CacheEntry & { bytes: number; content: Buffer }>();
  readonly calls: string[] = [];
  faults: Faults = {};
  ref = 'refs/heads/main';
  limit: StoreLimits | undefined;
  now = 1_000_000_000_000;
  #saves = 0;

  #call(what: string): void {
    this.calls.push(what);
    this.faults.before?.(what);
  }

  #find(fits: (key: string) => boolean): (CacheEntry & { content: Buffer }) | undefined {
    const readable = [...this.entries.values()].filter(
      ({ key, ref }) => fits(key) && this.#scopes().includes(ref ?? ''),
    );
    const order = (ref: string | undefined): number => this.#scopes().indexOf(ref ?? '');
    return readable.sort((a, b) => order(a.ref) - order(b.ref) || b.created - a.created)[0];
  }

  #scopes(): string[] {
    return [this.ref, 'refs/heads/main'];
  }

  async restoreNewest(prefix: string, file: string): Promise<string | undefined> {
    this.#call(`newest ${prefix}`);
    const found = this.#find((key) => key.startsWith(prefix));
    if (found) await writeFile(file, found.content);
    return found?.key;
  }

  async restore(key: string, file: string): Promise<boolean> {
    this.#call(`restore ${key}`);
    const found = this.#find((other) => other === key);
    if (found) await writeFile(file, found.content);
    return found !== undefined;
  }

  async save(key: string, file: string): Promise<SaveOutcome> {
    this.#call(`save ${key}`);
    const fault = this.faults.save?.(key, this.#saves++);
    if (fault) return fault;
    const id = `${this.ref} ${key}`;
    if (this.entries.has(id)) return { kind: 'exists' };
    const content = await readFile(file);
    this.now += 1;
    this.entries.set(id, { id, key, ref: this.ref, bytes: content.length, created: this.now, used: this.now, content });
    return { kind: 'saved' };
  }

  async touch(key: string): Promise<boolean> {
    this.#call(`touch ${key}`);
    const found = this.#find((other) => other === key);
    if (found) this.entries.set(found.id, { ...found, used: this.now });
    return found !== undefined;
  }

  async list(): Promise<readonly CacheEntry[] | undefined> {
    this.#call('list');
    return this.faults.cannotList ? undefined : [...this.entries.values()].map(({ content: _, ...entry }) => entry);
  }

  async remove(entry: CacheEntry): Promise<RemoveOutcome> {
    this.#call(`remove ${entry.key}`);
    const fault = this.faults.remove?.(entry);
    if (fault) return fault;
    return { kind: this.entries.delete(entry.id) ? 'removed' : 'gone' };
  }

  async limits(): Promise<StoreLimits | undefined> {
    return this.limit;
  }

  /** What is stored under keys that begin with `prefix`, in the order it came. */
  keys(prefix = ''): string[] {
    return [...this.entries.values()].map(({ key }) => key).filter((key) => key.startsWith(prefix));
  }
}
