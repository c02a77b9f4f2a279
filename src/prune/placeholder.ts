import { canonicalJson } from '../core/canonical-json.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import { GONE, keptBecause, REMOVED, type Removal } from './place.ts';
import type { Prunable } from './prunable.ts';

/** What a config or layer is where there is nothing to say (OCI image-spec, manifest.md, "Guidance for an Empty Descriptor"). */
const EMPTY = Buffer.from('{}');
const EMPTY_DESCRIPTOR: Descriptor = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(EMPTY),
  size: EMPTY.length,
};

/**
 * Takes tags from manifests that stay, where a tag cannot be deleted alone: each is pointed at a manifest without content, of which there is
 * one a run, and which is removed with its tags afterwards. A run that ends in between leaves tags that the next one removes.
 */
export class Placeholder {
  readonly manifest: StoredManifest;
  readonly #repository: Repository;
  readonly #tags: string[] = [];
  #stored: Promise<void> | undefined;

  /** `run` tells the manifest from those of other runs. */
  constructor(repository: Repository, run: string) {
    this.#repository = repository;
    const bytes = Buffer.from(
      canonicalJson({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.manifest,
        artifactType: 'application/vnd.nix-images.removed',
        config: EMPTY_DESCRIPTOR as never,
        layers: [EMPTY_DESCRIPTOR as never],
        annotations: { 'io.nix-images.removed-by': run },
      }),
    );
    this.manifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  }

  /** The tags that it has got. */
  get tags(): readonly string[] {
    return this.#tags;
  }

  /** Points `tag` at it, unless the tag means something else than `item` by now. */
  async take(item: Prunable, tag: string): Promise<Removal> {
    const before = await this.#repository.getManifest(tag);
    if (before === undefined) return GONE;
    if (before.digest !== item.id) return keptBecause(`${tag} means another image by now`);
    await this.#point(tag);
    return REMOVED;
  }

  /** Puts it under a tag that nobody else uses; gives the tag. */
  async tagAlone(): Promise<string> {
    const tag = `removed-by-${this.manifest.digest.slice('sha256:'.length, 'sha256:'.length + 16)}`;
    await this.#point(tag);
    return tag;
  }

  async #point(tag: string): Promise<void> {
    this.#stored ??= this.#repository.putBlob(EMPTY_DESCRIPTOR, EMPTY);
    await this.#stored;
    await this.#repository.tag(tag, this.manifest);
    this.#tags.push(tag);
  }

  /** Forgets the tags, once the manifest is removed. */
  clear(): void {
    this.#tags.length = 0;
  }
}

/** What became of several names together: one that is still there counts. */
export const worst = (removals: readonly Removal[]): Removal =>
  removals.find(({ kind }) => kind === 'kept') ?? removals.find(({ kind }) => kind === 'removed') ?? GONE;
