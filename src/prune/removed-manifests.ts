import type { Log } from '../core/log.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';

/** The manifests that a run has removed from a repository: something that is new by then may need one of them. */
export class RemovedManifests {
  readonly #repository: Pick<Repository, 'name' | 'putManifest'>;
  readonly #log: Pick<Log, 'warn'>;
  readonly #removed = new Map<string, StoredManifest>();

  constructor(repository: Pick<Repository, 'name' | 'putManifest'>, log: Pick<Log, 'warn'>) {
    this.#repository = repository;
    this.#log = log;
  }

  /** `id` is that of the `Prunable`. */
  add(id: string, manifest: StoredManifest): void {
    this.#removed.set(id, manifest);
  }

  /** The manifest that is there again; undefined where this run has removed none of that id. Throws as the repository does. */
  async putBack(id: string): Promise<StoredManifest | undefined> {
    const manifest = this.#removed.get(id);
    if (manifest === undefined) return undefined;
    this.#log.warn(`putting ${id} back into ${this.#repository.name}: an image that was published meanwhile needs it`);
    await this.#repository.putManifest(manifest);
    return manifest;
  }
}
