import { z } from 'zod';
import { decodeJson, type JsonDocument } from '../../core/decode-json.ts';
import { UserError } from '../../core/error.ts';
import { type Descriptor, platformSchema } from '../../oci/descriptor.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { DigestCheck, digestMismatch } from '../../oci/digest-check.ts';
import { indexBytes } from '../../oci/manifest.ts';
import { MEDIA_TYPE } from '../../oci/media-type.ts';
import { packingOf } from '../../oci/packing.ts';
import { byPlatform } from '../../oci/platform.ts';
import { descriptorOf, MANIFEST_LIMIT, type StoredManifest } from '../../oci/read-manifest.ts';
import { isSameReference } from '../../oci/reference.ts';
import type { ArchiveIndex, Slice } from '../../tar/index.ts';
import { readFileBlob, readSlice } from '../file-blob.ts';
import type { FileSource, ReferrerList } from '../source.ts';

const entrySchema = z.looseObject({
  Config: z.string().min(1),
  RepoTags: z.array(z.string()).nullish(),
  Layers: z.array(z.string().min(1)),
});
const listSchema = z.array(entrySchema).min(1);
const configSchema = platformSchema.extend({ rootfs: z.looseObject({ diff_ids: z.array(z.string()) }) });

type Entry = z.infer<typeof entrySchema>;

const documentAt = (where: string): JsonDocument => ({
  code: 'file',
  what: where,
  mismatch: 'is not what docker save writes',
  hint: 'Check that the archive is whole and was made by docker save, podman save or dockerTools.',
});

const PACKED = { gzip: MEDIA_TYPE.layerGzip, zstd: MEDIA_TYPE.layerZstd } as const;

/** The media type a layer's first bytes show. */
function sniff(start: Uint8Array): string {
  const packing = packingOf(start);
  return packing ? PACKED[packing] : MEDIA_TYPE.layer;
}

// podman adds a host to short names and docker leaves it out; both mean the same image.
function isNamed(repoTag: string, reference: string): boolean {
  if (repoTag === reference || repoTag.slice(repoTag.lastIndexOf(':') + 1) === reference) return true;
  return reference.includes(':') && isSameReference(repoTag, reference);
}

class DockerArchiveSource implements FileSource {
  readonly name: string;
  readonly #archive: ArchiveIndex;
  readonly #entries: readonly Entry[];
  readonly #slices = new Map<string, Slice>();
  /** Layers are hashed once, when an image's manifest is first asked for. */
  readonly #manifests = new Map<Entry, Promise<StoredManifest>>();
  /** Indexes that stand for entries of one name. */
  readonly #indexes: StoredManifest[] = [];

  constructor(archive: ArchiveIndex, entries: readonly Entry[]) {
    this.name = `docker-archive:${archive.path}`;
    this.#archive = archive;
    this.#entries = entries;
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#slices.get(descriptor.digest)?.size === descriptor.size;
  }

  async *readBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    const slice = this.#slices.get(descriptor.digest);
    if (slice === undefined) {
      throw new UserError('file', `${this.#archive.path} has no blob ${descriptor.digest}`, {
        hint: 'Read the manifest of the image first; it names the blobs.',
      });
    }
    yield* readFileBlob(this.#archive.handle, this.#archive.path, slice, descriptor);
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    const named = this.#entries.filter(({ RepoTags }) => RepoTags?.some((tag) => isNamed(tag, reference)));
    if (named.length > 0) return this.#only(named);
    if (!reference.startsWith('sha256:')) return undefined;
    const [index] = this.#indexes.filter(({ digest }) => digest === reference);
    if (index !== undefined) return index;
    for (const entry of this.#entries) {
      const manifest = await this.#manifest(entry);
      if (manifest.digest === reference) return manifest;
    }
    return undefined;
  }

  async getReferrers(): Promise<ReferrerList> {
    return { entries: [], isOwn: false };
  }

  async names(): Promise<readonly string[]> {
    return this.#names();
  }

  async soleImage(): Promise<string> {
    return (await this.#only(this.#entries)).digest;
  }

  close(): Promise<void> {
    return this.#archive.close();
  }

  #names(): string[] {
    return this.#entries.flatMap(({ RepoTags }) => RepoTags ?? []);
  }

  #ambiguous(): UserError {
    const names = this.#names();
    return new UserError('reference', `${this.name} holds several images; name one of them`, {
      hint: `Add one of these names: ${names.join(', ')}.`,
    });
  }

  /** The one image that entries are: one entry, or one image for several platforms, whose index the archive does not have. */
  async #only(entries: readonly Entry[]): Promise<StoredManifest> {
    const [first, ...others] = entries;
    if (first === undefined) throw this.#ambiguous();
    if (others.length === 0) return this.#manifest(first);
    const names = first.RepoTags ?? [];
    const isOne = others.every(({ RepoTags }) =>
      names.length === 0 ? (RepoTags ?? []).length === 0 : names.some((name) => RepoTags?.includes(name)),
    );
    const descriptors = isOne ? await this.#descriptors(entries) : undefined;
    const images = descriptors && byPlatform(descriptors);
    if (images === undefined) throw this.#ambiguous();
    const bytes = indexBytes(images, {});
    const index = { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
    this.#indexes.push(index);
    return index;
  }

  async #descriptors(entries: readonly Entry[]): Promise<Descriptor[]> {
    const descriptors: Descriptor[] = [];
    for (const entry of entries) {
      const { os, architecture, variant } = await this.#config(entry);
      const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
      descriptors.push({ ...descriptorOf(await this.#manifest(entry)), platform });
    }
    return descriptors;
  }

  async #config({ Config }: Entry): Promise<z.infer<typeof configSchema>> {
    const bytes = await this.#archive.readSmall(Config, MANIFEST_LIMIT);
    return decodeJson(bytes, configSchema, documentAt(`${this.#archive.path} (${Config})`));
  }

  #manifest(entry: Entry): Promise<StoredManifest> {
    const known = this.#manifests.get(entry);
    if (known !== undefined) return known;
    const made = this.#make(entry);
    this.#manifests.set(entry, made);
    return made;
  }

  /** The manifest that the archive does not have: made of the config and the layers' own bytes. */
  async #make({ Config, Layers }: Entry): Promise<StoredManifest> {
    const config = await this.#archive.readSmall(Config, MANIFEST_LIMIT);
    const { rootfs } = decodeJson(config, configSchema, documentAt(`${this.#archive.path} (${Config})`));
    if (rootfs.diff_ids.length !== Layers.length) {
      throw new UserError(
        'file',
        `${this.#archive.path} has ${Layers.length} layers, its config names ${rootfs.diff_ids.length}`,
        {
          hint: 'The archive is damaged; make it again.',
        },
      );
    }
    const layers: Descriptor[] = [];
    for (const [index, name] of Layers.entries()) layers.push(await this.#layer(name, rootfs.diff_ids[index] ?? ''));
    const configDigest = digestOf(config);
    this.#keep(configDigest, Config);
    const content = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: { mediaType: MEDIA_TYPE.config, digest: configDigest, size: config.length },
      layers,
    };
    const bytes = Buffer.from(JSON.stringify(content));
    return { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  }

  async #layer(name: string, diffId: string): Promise<Descriptor> {
    const slice = this.#find(name);
    const check = new DigestCheck();
    let mediaType: string | undefined;
    for await (const chunk of readSlice(this.#archive.handle, this.#archive.path, slice.offset, slice.size)) {
      mediaType ??= sniff(chunk);
      check.update(chunk);
    }
    const descriptor = { mediaType: mediaType ?? MEDIA_TYPE.layer, digest: check.digest(), size: slice.size };
    // Only a plain tar can be compared here; whoever unpacks the others sees their diffID.
    if (descriptor.mediaType === MEDIA_TYPE.layer && descriptor.digest !== diffId) {
      throw digestMismatch(
        `${this.#archive.path} (${name})`,
        { ...descriptor, digest: diffId as Digest },
        descriptor.digest,
      );
    }
    this.#keep(descriptor.digest, name);
    return descriptor;
  }

  #keep(digest: Digest, name: string): void {
    this.#slices.set(digest, this.#find(name));
  }

  #find(name: string): Slice {
    const slice = this.#archive.find(name);
    if (slice !== undefined) return slice;
    throw new UserError('file', `${this.#archive.path} has no ${name}, which its manifest.json names`, {
      hint: 'The archive is damaged; make it again.',
    });
  }
}

/** Reads what docker save, podman save, skopeo or dockerTools wrote. Throws UserError `file` when it is none. */
export async function readDockerArchive(archive: ArchiveIndex): Promise<FileSource> {
  const bytes = await archive.readSmall('manifest.json', MANIFEST_LIMIT);
  const entries = decodeJson(bytes, listSchema, documentAt(`${archive.path} (manifest.json)`));
  return new DockerArchiveSource(archive, entries);
}
