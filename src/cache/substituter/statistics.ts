import { rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Log } from '../../core/log.ts';
import { type CachedPath, packedSize } from '../cache-index.ts';

const countSchema = z.number().nonnegative();

/** What a substituter did so far, as plain data. */
export const servedSchema = z.object({
  schemaVersion: z.literal(1),
  /** Answers to "do you have this path?". */
  hits: countSchema,
  misses: countSchema,
  /** Paths whose NAR was sent whole, and the packed bytes of these. */
  paths: countSchema,
  bytes: countSchema,
  /** What building these paths took when they were stored; outputs of one derivation count once. */
  secondsSaved: countSchema,
  /** Paths that the index has and that could not be served: Nix built them. */
  lost: countSchema,
  packs: countSchema,
  packsLost: countSchema,
  /** Bytes of the packs that were fetched, and those of them that nobody asked for. */
  bytesFetched: countSchema,
  bytesInVain: countSchema,
});

export type ServedStatistics = z.infer<typeof servedSchema>;

/** Counts what a substituter does. */
export class Statistics {
  readonly #wanted = new Set<string>();
  readonly #served = new Map<string, CachedPath>();
  readonly #lost = new Set<string>();
  readonly #packs = new Map<string, number>();
  #fetched = 0;
  #lostPacks = 0;
  #hits = 0;
  #misses = 0;

  asked(path: CachedPath | undefined): void {
    if (path === undefined) {
      this.#misses += 1;
      return;
    }
    this.#hits += 1;
    this.#wanted.add(path.path);
  }

  /** The paths that were asked for and are in the cache: those which somebody needs. */
  wanted(): readonly string[] {
    return [...this.#wanted];
  }

  served(path: CachedPath): void {
    this.#served.set(path.path, path);
    this.#lost.delete(path.path);
  }

  lost(path: CachedPath): void {
    if (!this.#served.has(path.path)) this.#lost.add(path.path);
  }

  fetched(key: string, bytes: number): void {
    this.#packs.set(key, bytes);
    this.#fetched += bytes;
  }

  packLost(): void {
    this.#lostPacks += 1;
  }

  sum(): ServedStatistics {
    const served = [...this.#served.values()];
    const bytes = served.reduce((sum, path) => sum + packedSize(path), 0);
    const seconds = new Map(served.map((path) => [path.deriver ?? path.path, path.seconds]));
    return {
      schemaVersion: 1,
      hits: this.#hits,
      misses: this.#misses,
      paths: served.length,
      bytes,
      secondsSaved: [...seconds.values()].reduce((sum, value) => sum + value, 0),
      lost: this.#lost.size,
      packs: this.#packs.size,
      packsLost: this.#lostPacks,
      bytesFetched: this.#fetched,
      // A pack that was dropped from the disk and fetched again is in vain the second time.
      bytesInVain: Math.max(0, this.#fetched - bytes),
    };
  }
}

/** Milliseconds between two writes: whoever ends the process by force loses no more than that. */
const WRITE_EVERY = 1000;

/** Keeps `file` up to date with `statistics` until it is closed; the file is whole at any time. */
export function keepWritten(statistics: Statistics, file: string, log: Pick<Log, 'debug'>): { close(): Promise<void> } {
  let written = '';
  let under: Promise<void> = Promise.resolve();
  const write = async (): Promise<void> => {
    const text = `${JSON.stringify(statistics.sum())}\n`;
    if (text === written) return;
    try {
      await writeFile(`${file}.new`, text, { mode: 0o600 });
      await rename(`${file}.new`, file);
      written = text;
    } catch (error) {
      // A full disk, perhaps: what is served counts more than what is counted.
      log.debug(`cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const again = (): Promise<void> => {
    under = under.then(write);
    return under;
  };
  const timer = setInterval(again, WRITE_EVERY);
  timer.unref();
  return {
    close: () => {
      clearInterval(timer);
      return again();
    },
  };
}
