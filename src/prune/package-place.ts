import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { Packages, PackageVersion } from '../github/rest/packages.ts';
import { isDigest } from '../oci/digest.ts';
import type { Repository } from '../storage/destination.ts';
import { GONE, keptBecause, type PrunePlace, type Removal } from './place.ts';
import { Placeholder, worst } from './placeholder.ts';
import type { Prunable } from './prunable.ts';
import { ItemReader } from './read-items.ts';
import { RemovedManifests } from './removed-manifests.ts';

interface PackagePlaceTools {
  readonly repository: Repository;
  readonly packages: Packages;
  readonly log: Log;
  /** Tells this run from others. */
  readonly run: string;
}

/**
 * A package at ghcr.io. Its registry answers every DELETE with 405; what GitHub's REST interface deletes is a version: a manifest with all
 * its tags. So a manifest that loses only some has those moved to a placeholder first, whose version is then deleted.
 */
export class PackagePlace implements PrunePlace {
  readonly name: string;
  readonly #repository: Repository;
  readonly #packages: Packages;
  readonly #reader: ItemReader;
  readonly #placeholder: Placeholder;
  readonly #removed: RemovedManifests;
  #versions: ReadonlyMap<string, PackageVersion> = new Map();

  constructor({ repository, packages, log, run }: PackagePlaceTools) {
    this.name = repository.name;
    this.#repository = repository;
    this.#removed = new RemovedManifests(repository, log);
    this.#packages = packages;
    this.#placeholder = new Placeholder(repository, run);
    // Versions say when they came, so no config is read.
    this.#reader = new ItemReader({ source: repository, readsConfigs: false, log });
  }

  async list(): Promise<readonly Prunable[]> {
    const versions = await this.#packages.versions();
    this.#versions = new Map(versions.map((version) => [version.digest, version]));
    const listed = versions.flatMap(({ digest, tags, created }) =>
      isDigest(digest) ? [{ digest, tags, added: created }] : [],
    );
    return await this.#reader.items(listed);
  }

  /** Only deleting shows whether the token may: GET is often allowed where DELETE is not. */
  async checkMayRemove(): Promise<void> {}

  async removeItem(item: Prunable): Promise<Removal> {
    const known = this.#versions.get(item.id);
    if (known === undefined) return GONE;
    const now = await this.#packages.version(known.id);
    if (now === undefined) return GONE;
    const fresh = now.tags.filter((tag) => !item.names.includes(tag));
    if (fresh.length > 0) return keptBecause(`it has the new tag ${fresh.join(', ')}`);
    const manifest = isDigest(item.id) ? await this.#repository.getManifest(item.id) : undefined;
    const removal = await this.#packages.remove(known.id);
    if (removal.kind !== 'kept' && isDigest(item.id)) {
      this.#reader.forget(item.id);
      if (manifest) this.#removed.add(item.id, manifest);
    }
    return removal;
  }

  async removeNames(item: Prunable, names: readonly string[]): Promise<Removal> {
    const removals: Removal[] = [];
    for (const name of names) removals.push(await this.#placeholder.take(item, name));
    return worst(removals);
  }

  async finish(): Promise<void> {
    const { tags, manifest } = this.#placeholder;
    if (tags.length === 0) return;
    const versions = await this.#packages.versions();
    const version = versions.find(({ digest }) => digest === manifest.digest);
    const others = version?.tags.filter((tag) => !tags.includes(tag)) ?? [];
    if (version === undefined || others.length > 0) {
      throw new UserError('registry', `GitHub does not list what ${tags.join(', ')} was moved to`, {
        hint: 'Run again later; the tags go then.',
        docs: 'retention.md#places',
      });
    }
    const removal = await this.#packages.remove(version.id);
    if (removal.kind === 'kept') throw new UserError('registry', `${tags.join(', ')} cannot go: ${removal.why}`);
    this.#placeholder.clear();
  }

  putBack(item: Prunable): Promise<void> {
    return this.#removed.putBack(item);
  }

  close(): Promise<void> {
    return this.#repository.close();
  }
}
