import { UserError } from '../core/error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { BlobWriter, Repository } from './repository.ts';

/** The half of a repository that reading needs. */
export interface ReadableImages {
  readonly name: string;
  hasBlob(descriptor: Descriptor): Promise<boolean>;
  readBlob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  getManifest(reference: string): Promise<StoredManifest | undefined>;
  /** Digest of the only image. Throws UserError `reference` when there are none or several. */
  soleImage(): Promise<string>;
  close(): Promise<void>;
}

/** An archive is read, or written from its start; it is never changed in place. */
export class ReadOnlyRepository implements Repository {
  readonly name: string;
  readonly bytesSent = 0;
  readonly #images: ReadableImages;

  constructor(images: ReadableImages) {
    this.name = images.name;
    this.#images = images;
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#images.hasBlob(descriptor);
  }

  readBlob(descriptor: Descriptor): AsyncIterable<Uint8Array> {
    return this.#images.readBlob(descriptor);
  }

  getManifest(reference: string): Promise<StoredManifest | undefined> {
    return this.#images.getManifest(reference);
  }

  soleImage(): Promise<string> {
    return this.#images.soleImage();
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async putBlob(): Promise<void> {
    throw this.#refusal();
  }

  async openBlob(): Promise<BlobWriter> {
    throw this.#refusal();
  }

  async putManifest(): Promise<void> {
    throw this.#refusal();
  }

  async tag(): Promise<void> {
    throw this.#refusal();
  }

  close(): Promise<void> {
    return this.#images.close();
  }

  async abandon(): Promise<void> {
    await this.#images.close().catch(() => undefined);
  }

  #refusal(): UserError {
    return new UserError('file', `${this.name} was opened for reading.`, { hint: 'Write to another place.' });
  }
}
