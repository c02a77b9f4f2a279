import { rm } from 'node:fs/promises';
import type { CachedPack, CachedPath, CacheIndex } from './cache-index.ts';
import { INDEX_VERSION } from './cache-index.ts';
import type { HouseWorld } from './house.ts';
import { type JobAttempt, packKey } from './keys.ts';
import { type PackFile, PackWriter } from './pack-writer.ts';

/** Uploads that fail one after another before the rest is given up: the service is down, or the network. */
const FAILURES = 2;

/** Why nothing more is stored, as a part of one line of the log. */
class Stopped extends Error {}

/** Stores packs as they become complete, and remembers which of them can be read. */
export class PackUploads {
  readonly writer: PackWriter;
  /** Why nothing more can be stored; undefined while it can. */
  stopped: string | undefined;
  readonly #world: HouseWorld;
  readonly #attempt: JobAttempt;
  readonly #saved = new Map<number, CachedPack>();
  #failures = 0;

  constructor(world: HouseWorld, attempt: JobAttempt, limit?: number) {
    this.#world = world;
    this.#attempt = attempt;
    this.writer = new PackWriter({
      folder: world.folder,
      onPack: (pack) => this.#take(pack),
      ...(limit === undefined ? {} : { limit }),
    });
  }

  async #take({ file, number, bytes, sha256 }: PackFile): Promise<void> {
    const { store, log } = this.#world;
    const key = packKey(sha256, this.#attempt);
    try {
      if (this.stopped === undefined) {
        const { kind, until, why = 'no reason given' } = await store.save(key, file);
        if (kind === 'saved' || kind === 'exists') {
          this.#saved.set(number, { key, bytes, sha256 });
          this.#failures = 0;
          return;
        }
        const when = until === undefined ? '' : ` until ${new Date(until).toISOString()}`;
        if (kind === 'failed') this.#failures += 1;
        if (kind === 'read-only') this.stopped = `this job may only read ${store.name}: ${why}`;
        else if (kind === 'limited') this.stopped = `${store.name} takes no more uploads${when}`;
        else if (this.#failures >= FAILURES) this.stopped = `${store.name} does not take packs: ${why}`;
        else log.debug(`${key} was not stored: ${why}`);
      }
    } finally {
      await rm(file, { force: true });
    }
    if (this.stopped !== undefined) throw new Stopped(this.stopped);
  }

  /** Ends the writing, and gives the packs that are stored and those of `paths` that lie in them. */
  async end(paths: readonly CachedPath[]): Promise<Omit<CacheIndex, 'closures'>> {
    try {
      await this.writer.end();
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    }
    const numbers = [...this.#saved.keys()].sort((a, b) => a - b);
    const places = new Map(numbers.map((number, place) => [number, place]));
    const isStored = ({ pieces }: CachedPath): boolean => pieces.every(({ pack }) => places.has(pack));
    const placed = paths.filter(isStored).map((path) => ({
      ...path,
      pieces: path.pieces.map((piece) => ({ ...piece, pack: places.get(piece.pack) ?? 0 })),
    }));
    return { version: INDEX_VERSION, packs: numbers.flatMap((number) => this.#saved.get(number) ?? []), paths: placed };
  }
}
