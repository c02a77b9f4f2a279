import type { Log } from '../core/log.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { isAttachedTag } from '../storage/attached-tags.ts';
import type { Repository } from '../storage/destination.ts';
import type { Prunable } from './prunable.ts';

/** The manifests that a run has removed from a repository: something that is new by then may need one of them. */
export class RemovedManifests {
  readonly #repository: Pick<Repository, 'name' | 'getManifest' | 'putManifest' | 'tag'>;
  readonly #log: Pick<Log, 'warn'>;
  readonly #removed = new Map<string, StoredManifest>();

  constructor(repository: Pick<Repository, 'name' | 'getManifest' | 'putManifest' | 'tag'>, log: Pick<Log, 'warn'>) {
    this.#repository = repository;
    this.#log = log;
  }

  /** `id` is that of the `Prunable`. */
  add(id: string, manifest: StoredManifest): void {
    this.#removed.set(id, manifest);
  }

  /** Puts back what this run has removed of that id, if it has. Throws as the repository does. */
  async putBack({ id, names }: Pick<Prunable, 'id' | 'names'>): Promise<void> {
    const manifest = this.#removed.get(id);
    if (manifest === undefined) return;
    this.#log.warn(`putting ${id} back into ${this.#repository.name}: an image that was published meanwhile needs it`);
    await this.#repository.putManifest(manifest);
    // By their tags alone lists of referrers and what cosign attaches are found.
    for (const name of names.filter(isAttachedTag))
      if ((await this.#repository.getManifest(name)) === undefined) await this.#repository.tag(name, manifest);
  }
}
