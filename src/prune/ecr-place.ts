import type { EcrApi, EcrImage } from '../aws/ecr-api.ts';
import type { Log } from '../core/log.ts';
import { isDigest } from '../oci/digest.ts';
import type { RegistryRepository } from '../storage/registry/registry-repository.ts';
import { GONE, keptBecause, type PrunePlace, type Removal } from './place.ts';
import { worst } from './placeholder.ts';
import type { Prunable } from './prunable.ts';
import { ItemReader } from './read-items.ts';
import { RemovedManifests } from './removed-manifests.ts';

interface EcrPlaceTools {
  readonly repository: RegistryRepository;
  readonly ecr: Pick<EcrApi, 'images' | 'removeImage'>;
  readonly log: Log;
}

/**
 * A repository of ECR or ECR Public. AWS's own interface lists what has no tag, says when each image was pushed, and deletes tags alone;
 * ECR Public has no lifecycle rules that would do any of this.
 */
export class EcrPlace implements PrunePlace {
  readonly name: string;
  readonly #repository: RegistryRepository;
  readonly #ecr: Pick<EcrApi, 'images' | 'removeImage'>;
  readonly #reader: ItemReader;
  readonly #removed: RemovedManifests;

  constructor({ repository, ecr, log }: EcrPlaceTools) {
    this.name = repository.name;
    this.#repository = repository;
    this.#removed = new RemovedManifests(repository, log);
    this.#ecr = ecr;
    this.#reader = new ItemReader({ source: repository, readsConfigs: false, log });
  }

  async list(): Promise<readonly Prunable[]> {
    const images = await this.#ecr.images(this.#repository.path);
    return await this.#reader.items(
      images.flatMap(({ digest, tags, pushed }) => (isDigest(digest) ? [{ digest, tags, added: pushed }] : [])),
    );
  }

  /** Only deleting shows whether the credentials allow it. */
  async checkMayRemove(): Promise<void> {}

  async removeItem(item: Prunable): Promise<Removal> {
    if (!isDigest(item.id)) return GONE;
    const [now] = await this.#ecr.images(this.#repository.path, item.id);
    if (now === undefined) return GONE;
    const fresh = newTags(now, item);
    if (fresh.length > 0) return keptBecause(`it has the new tag ${fresh.join(', ')}`);
    const manifest = await this.#repository.getManifest(item.id);
    const removal = await this.#ecr.removeImage(this.#repository.path, { imageDigest: item.id });
    if (removal.kind === 'kept') return removal;
    this.#reader.forget(item.id);
    if (manifest) this.#removed.add(item.id, manifest);
    return removal;
  }

  async removeNames({ id }: Prunable, names: readonly string[]): Promise<Removal> {
    const removals: Removal[] = [];
    for (const tag of names) removals.push(await this.#removeName(id, tag));
    return worst(removals);
  }

  async finish(): Promise<void> {}

  putBack(item: Prunable): Promise<void> {
    return this.#removed.putBack(item);
  }

  close(): Promise<void> {
    return this.#repository.close();
  }

  async #removeName(digest: string, tag: string): Promise<Removal> {
    const [now] = await this.#ecr.images(this.#repository.path, digest);
    if (!now?.tags.includes(tag)) return GONE;
    // It would take the image with it, which something that stays needs.
    if (now.tags.length === 1) return keptBecause('AWS deletes an image with its last tag');
    return await this.#ecr.removeImage(this.#repository.path, { imageTag: tag });
  }
}

const newTags = ({ tags }: EcrImage, { names }: Prunable): string[] => tags.filter((tag) => !names.includes(tag));
