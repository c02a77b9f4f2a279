import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/error.ts';
import type { Log } from '../../core/log.ts';
import type { CachedPack } from '../cache-index.ts';
import type { FileOfPack } from '../pack-reader.ts';
import type { CacheStore } from '../store.ts';
import type { Statistics } from './statistics.ts';

/** Bytes of packs on the disk at once: 30 packs, more than one build asks for at the same time. */
const DISK_LIMIT = 2_000_000_000;

/**
 * Packs that come at once: while the bytes of one arrive, the next one's process starts, and the one before is unpacked. The
 * store sees to it that bytes come for one only where more would take its memory each.
 */
const AT_ONCE = 2;

interface PackState {
  readonly pack: CachedPack;
  readonly file: string;
  /** `lost` is for good: asking again would take as long again, for each of its paths. */
  state: 'away' | 'queued' | 'here' | 'lost';
  /** Whether somebody waits for it; otherwise it is only likely to be asked for. */
  isWanted: boolean;
  /** The least height of its paths that will probably be asked for; undefined where none will. */
  height: number | undefined;
  /** Called when it is here or lost. */
  waiting: (() => void)[];
  readers: number;
  lastUsed: number;
}

/**
 * From when on packs come that are likely to be asked for: `told`, once Nix is told of a path in them; `missing`, once Nix asked for a path that is not
 * there, so that something will be built and what it needs will be fetched; `asked`, once a NAR was asked for.
 */
export type Prefetch = 'told' | 'missing' | 'asked';

/** Packs that hold a path which will probably be asked for, after all of a smaller height. */
interface PackHint {
  readonly numbers: readonly number[];
  readonly height: number;
}

/** Who wants to know where packs are. */
interface PackWatcher {
  /** A pack has come. */
  came(): void;
  /** The pack of this number is gone again, and may come once more. */
  dropped(number: number): void;
}

interface PackFilesOptions {
  readonly store: Pick<CacheStore, 'name' | 'restore' | 'prepare'>;
  /** Only this process writes there. */
  readonly folder: string;
  readonly log: Pick<Log, 'debug' | 'info' | 'warn'>;
  readonly statistics: Pick<Statistics, 'fetched' | 'packLost'>;
  readonly diskLimit?: number;
  readonly prefetch: Prefetch;
}

/**
 * Packs as files, each fetched as a whole when it is first asked for.
 *
 * Packs that are only likely to be asked for (Nix was told that we have a path of them) come when nobody waits for another, and
 * only once it is clear that some will be (`Prefetch`): where all is there, layers come from a registry, and nothing is fetched. Nix fetches what a
 * path refers to first, so what was built here comes last, and these packs come meanwhile; those with the paths that depend on least first,
 * so that Nix takes what they have while the next ones come, and little is left to do after the last.
 */
export class PackFiles {
  /** By their number in the index. */
  readonly #packs: readonly PackState[];
  readonly #options: PackFilesOptions;
  #wanted: PackState[] = [];
  #busy = 0;
  #hasBegun = false;
  #isClosed = false;
  #watcher: PackWatcher | undefined;
  #uses = 0;
  #onDisk = 0;

  constructor(packs: readonly CachedPack[], options: PackFilesOptions) {
    this.#options = options;
    this.#hasBegun = options.prefetch === 'told';
    this.#packs = packs.map((pack, at) => {
      const file = join(options.folder, `${at}.pack`);
      return { pack, file, state: 'away', isWanted: false, height: undefined, waiting: [], readers: 0, lastUsed: 0 };
    });
  }

  watch(watcher: PackWatcher): void {
    this.#watcher = watcher;
  }

  /** Whether `use` would find all of these at once. */
  areHere(numbers: readonly number[]): boolean {
    return !this.#isClosed && numbers.every((number) => this.#packs[number]?.state === 'here');
  }

  /** Tells what will probably be asked for. */
  hint(hints: readonly PackHint[]): void {
    for (const { numbers, height } of hints) {
      for (const number of numbers) {
        const state = this.#packs[number];
        if (state !== undefined) state.height = Math.min(state.height ?? height, height);
      }
    }
    if (this.#hasBegun) this.#pump();
  }

  /** Tells that Nix asked for a path that is not there. */
  missed(): void {
    if (this.#hasBegun || this.#options.prefetch !== 'missing') return;
    this.#hasBegun = true;
    // What is to be built is often asked for before anything that is here.
    this.#options.store.prepare?.();
    this.#pump();
  }

  /**
   * Runs `work` with the files of these packs, which stay where they are meanwhile; undefined without it when one of them
   * cannot be had before `signal` fires. Throws what `work` throws.
   */
  async use<T>(
    numbers: readonly number[],
    signal: AbortSignal,
    work: (fileOf: FileOfPack) => Promise<T>,
  ): Promise<T | undefined> {
    // The schema of the index has seen to it that they are there.
    const all = [...new Set(numbers)].flatMap((number) => this.#packs[number] ?? []);
    for (const state of all) state.readers += 1;
    try {
      const came = await Promise.all(all.map((state) => this.#come(state, signal)));
      if (!came.every(Boolean)) return undefined;
      for (const state of all) state.lastUsed = ++this.#uses;
      return await work((number) => this.#packs[number]?.file ?? '');
    } finally {
      for (const state of all) state.readers -= 1;
    }
  }

  /** Starts nothing more, and lets everybody who waits go without. */
  close(): void {
    this.#isClosed = true;
    for (const state of this.#packs) {
      if (state.state !== 'here') this.#settle(state, 'lost');
    }
  }

  async #come(state: PackState, signal: AbortSignal): Promise<boolean> {
    this.#hasBegun = true;
    if (state.state === 'here') return true;
    if (state.state === 'lost' || signal.aborted || this.#isClosed) return false;
    if (!state.isWanted) {
      state.isWanted = true;
      this.#wanted.push(state);
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      state.waiting.push(done);
      this.#pump();
    });
    // It may have been fetched, and dropped again before this was reached: `readers` prevents that.
    return (state as PackState).state === 'here';
  }

  #next(): PackState | undefined {
    for (let state = this.#wanted.shift(); state !== undefined; state = this.#wanted.shift()) {
      if (state.state === 'away') return state;
    }
    const [first] = this.#packs
      .filter(({ state, height }) => state === 'away' && height !== undefined)
      // Of equals the first of the index: a pack has what depends on little before the next one does.
      .sort((a, b) => (a.height ?? 0) - (b.height ?? 0));
    return first;
  }

  #pump(): void {
    while (this.#busy < AT_ONCE && !this.#isClosed) {
      const state = this.#next();
      if (state === undefined) return;
      this.#busy += 1;
      state.state = 'queued';
      void this.#fetch(state).finally(() => {
        this.#busy -= 1;
        this.#pump();
      });
    }
  }

  async #fetch(state: PackState): Promise<void> {
    const { store, log, statistics } = this.#options;
    const { key, bytes } = state.pack;
    const lose = async (why: string): Promise<void> => {
      this.#onDisk -= bytes;
      if (this.#isClosed) return;
      log.warn(`${key} of ${store.name} is lost, what is in it will be built: ${why}`);
      statistics.packLost();
      await rm(state.file, { force: true }).catch(() => undefined);
      this.#settle(state, 'lost');
    };
    try {
      await this.#makeRoom(bytes);
      if (!(await store.restore(key, state.file))) return await lose('it is not there any longer');
      const { size } = await stat(state.file);
      // A frame that is whole is served all the same; each is checked.
      if (size !== bytes) log.warn(`${key} of ${store.name} has ${size} bytes instead of ${bytes}`);
      statistics.fetched(key, size);
      if (this.#isClosed) return;
      this.#settle(state, 'here');
      this.#watcher?.came();
    } catch (error) {
      await lose(error instanceof UserError || error instanceof Error ? error.message : String(error));
    }
  }

  #settle(state: PackState, to: 'here' | 'lost'): void {
    state.state = to;
    state.isWanted = false;
    for (const done of state.waiting.splice(0)) done();
  }

  /** Counts the bytes as there, and drops the packs that were not used for longest, as far as nobody reads them. */
  async #makeRoom(bytes: number): Promise<void> {
    this.#onDisk += bytes;
    const limit = this.#options.diskLimit ?? DISK_LIMIT;
    const here = this.#packs.filter(({ state }) => state === 'here').sort((a, b) => a.lastUsed - b.lastUsed);
    for (const state of here) {
      if (this.#onDisk <= limit) return;
      // While one is removed others may be asked for.
      if (state.state !== 'here' || state.readers > 0) continue;
      state.state = 'away';
      // It was fetched ahead once; from now on it comes only where it is asked for.
      state.height = undefined;
      this.#watcher?.dropped(this.#packs.indexOf(state));
      this.#onDisk -= state.pack.bytes;
      await rm(state.file, { force: true });
    }
  }
}
