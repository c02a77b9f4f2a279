import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { descriptorOf, type StoredManifest } from '../../oci/read-manifest.ts';
import type { BlobWriter, Repository } from '../destination.ts';
import { taggedReferrers } from '../referrers.ts';
import type { ReferrerList } from '../source.ts';
import { ArchiveBlobs } from './archive-blobs.ts';
import { ArchiveFile } from './archive-file.ts';

interface ArchiveTag {
  readonly manifest: StoredManifest;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What an archive being written holds beside blobs. */
export interface ArchiveState {
  readonly tags: ReadonlyMap<string, ArchiveTag>;
  readonly manifests: ReadonlyMap<string, StoredManifest>;
}

/** What sets one kind of archive apart from another. */
export interface ArchiveFormat {
  readonly kind: 'oci-archive' | 'docker-archive';
  /** What is between the file and the tag in a reference; undefined where nothing does. */
  readonly imageName?: string | undefined;
  /** Whether manifests are kept as blobs. */
  readonly keepsManifests: boolean;
  /** Throws UserError when the tag or what it is to name does not go into this kind. */
  checkTag(tag: string, manifest: StoredManifest, state: ArchiveState): void;
  /** The files that say what the blobs are, written last. */
  closingFiles(state: ArchiveState): readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

interface Opened {
  readonly file: ArchiveFile;
  readonly blobs: ArchiveBlobs;
}

/** An archive that is being written, in one pass and without copies of blobs; it appears at `commit`. */
export class ArchiveRepository implements Repository {
  readonly name: string;
  readonly isShared = false;
  readonly #path: string;
  readonly #format: ArchiveFormat;
  readonly #manifests = new Map<string, StoredManifest>();
  readonly #tags = new Map<string, ArchiveTag>();
  #opened: Promise<Opened> | undefined;
  #blobs: ArchiveBlobs | undefined;

  constructor(path: string, format: ArchiveFormat) {
    this.name = [format.kind, path, ...(format.imageName ? [format.imageName] : [])].join(':');
    this.#path = path;
    this.#format = format;
  }

  get bytesSent(): number {
    return this.#blobs?.bytes ?? 0;
  }

  takeSent(digest: Digest): number {
    return this.#blobs?.takeSent(digest) ?? 0;
  }

  async hasBlob(descriptor: Descriptor, { fresh } = { fresh: false }): Promise<boolean> {
    const { blobs } = await this.#open();
    return fresh ? blobs.isIntact(descriptor) : blobs.has(descriptor);
  }

  /** Also when the archive is at its place, as long as nothing is written to it again. */
  async *readBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    const blobs = this.#blobs ?? (await this.#open()).blobs;
    yield* blobs.read(descriptor);
  }

  async putBlob(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    await (await this.#open()).blobs.put(descriptor, bytes);
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async openBlob(): Promise<BlobWriter> {
    return (await this.#open()).blobs.open();
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    const manifest = this.#tags.get(reference)?.manifest ?? this.#manifests.get(reference);
    if (manifest === undefined || !this.#format.keepsManifests || this.#opened === undefined) return manifest;
    return (await this.hasBlob(descriptorOf(manifest), { fresh: true })) ? manifest : undefined;
  }

  async getReferrers(digest: Digest): Promise<ReferrerList> {
    return { entries: await taggedReferrers(this, digest), isOwn: false };
  }

  async putManifest(manifest: StoredManifest): Promise<void> {
    if (this.#format.keepsManifests) await this.putBlob(descriptorOf(manifest), manifest.bytes);
    this.#manifests.set(manifest.digest, manifest);
  }

  listsByItself(): boolean {
    return false;
  }

  async tag(tag: string, manifest: StoredManifest, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#format.checkTag(tag, manifest, this.#state());
    await this.putManifest(manifest);
    // Moved to the end, so that the last one tagged comes last.
    this.#tags.delete(tag);
    this.#tags.set(tag, { manifest, annotations });
  }

  async commit(): Promise<void> {
    if (this.#opened === undefined) return;
    const { file } = await this.#opened;
    try {
      for (const { name, bytes } of this.#format.closingFiles(this.#state())) await file.append(name, bytes);
      await file.close();
    } catch (error) {
      await this.abandon();
      throw error;
    }
    this.#opened = undefined;
  }

  async abandon(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    await opened?.blobs.abandon();
    await opened?.file.abandon();
  }

  close(): Promise<void> {
    return this.abandon();
  }

  #state(): ArchiveState {
    return { tags: this.#tags, manifests: this.#manifests };
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#create();
    return this.#opened;
  }

  async #create(): Promise<Opened> {
    const file = await ArchiveFile.create(this.#path);
    for (const folder of ['blobs/', 'blobs/sha256/']) await file.append(folder);
    this.#blobs = new ArchiveBlobs(file);
    return { file, blobs: this.#blobs };
  }
}
