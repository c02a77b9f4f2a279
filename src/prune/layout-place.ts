import type { Log } from '../core/log.ts';
import { isDigest } from '../oci/digest.ts';
import type { LayoutFolder } from '../storage/layout/layout-folder.ts';
import { dropEntries, layoutEntries, removeBlobs } from '../storage/layout/layout-removal.ts';
import type { LayoutSource } from '../storage/layout/layout-source.ts';
import { GONE, keptBecause, type PrunePlace, REMOVED, type Removal } from './place.ts';
import type { Prunable } from './prunable.ts';
import { ItemReader } from './read-items.ts';

interface LayoutPlaceTools {
  readonly source: LayoutSource;
  readonly folder: LayoutFolder;
  readonly log: Log;
}

/** An OCI layout. Entries of its index are removed one by one; blobs go at the end, when nothing in the index leads to them. */
export class LayoutPlace implements PrunePlace {
  readonly name: string;
  readonly #folder: LayoutFolder;
  readonly #reader: ItemReader;
  /** Blobs of what was removed. */
  readonly #left = new Set<string>();

  constructor({ source, folder, log }: LayoutPlaceTools) {
    this.name = source.name;
    this.#folder = folder;
    this.#reader = new ItemReader({ source, readsConfigs: true, log });
  }

  async list(): Promise<readonly Prunable[]> {
    await this.#folder.check();
    const entries = await layoutEntries(this.#folder);
    return await this.#reader.items(entries.map(({ digest, names, added }) => ({ digest, tags: names, added })));
  }

  /** What the file system does not allow it says when it is asked. */
  async checkMayRemove(): Promise<void> {}

  async removeItem({ id, names, stored }: Prunable): Promise<Removal> {
    const entry = (await layoutEntries(this.#folder)).find(({ digest }) => digest === id);
    const fresh = entry?.names.filter((name) => !names.includes(name)) ?? [];
    if (fresh.length > 0) return keptBecause(`it has the new name ${fresh.join(', ')}`);
    if (entry) await dropEntries(this.#folder, entry.digest);
    for (const digest of stored.keys()) this.#left.add(digest);
    return REMOVED;
  }

  async removeNames({ id }: Prunable, names: readonly string[]): Promise<Removal> {
    if (!isDigest(id)) return GONE;
    await dropEntries(this.#folder, id, names);
    return REMOVED;
  }

  async finish(): Promise<void> {
    if (this.#left.size === 0) return;
    await removeBlobs(this.#folder, this.#left, async () => {
      const items = await this.list();
      return new Set(items.flatMap(({ stored }) => [...stored.keys()]));
    });
    this.#left.clear();
  }

  async close(): Promise<void> {}
}
