import type { FileHandle } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/error.ts';
import { writeFully } from '../../core/file-bytes.ts';
import { fileError, withFileErrors } from '../../core/file-error.ts';
import { Gate } from '../../core/gate.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { checkBytes, DigestCheck } from '../../oci/digest-check.ts';
import { descriptorOf, type StoredManifest } from '../../oci/read-manifest.ts';
import type { BlobWriter, Repository } from '../destination.ts';
import { holdsBlob } from '../file-blob.ts';
import { isRefName } from '../location.ts';
import { SentBytes } from '../sent-bytes.ts';
import { blobName, type LayoutFolder } from './layout-folder.ts';
import { withName } from './layout-index.ts';
import { LayoutSource } from './layout-source.ts';

/** Throws UserError `reference` unless a layout can hold an image under `name`. */
export function checkRefName(name: string): void {
  if (isRefName(name)) return;
  throw new UserError('reference', `${JSON.stringify(name)} is not a valid tag`, {
    hint: 'Use letters and digits, with . _ - : @ + or / between them.',
  });
}

/** An OCI image layout in a folder that is written to. It appears with the first thing in it. */
export class LayoutRepository extends LayoutSource implements Repository {
  readonly isShared = false;
  readonly #writers = new Set<BlobWriter>();
  /** Several tags of this process need not poll for the lock that other processes wait for. */
  readonly #indexGate = new Gate(1);
  /** Blobs that were read and found right, by digest. */
  readonly #intact = new Set<string>();
  #created: Promise<void> | undefined;
  readonly #sent = new SentBytes();

  get bytesSent(): number {
    return this.#sent.total;
  }

  takeSent(digest: Digest): number {
    return this.#sent.take(digest);
  }

  /** A damaged blob counts as missing, so that it is written again: it is read before it is believed. */
  override async hasBlob(descriptor: Descriptor, { fresh } = { fresh: false }): Promise<boolean> {
    if (!(await this.isThere())) return false;
    if (this.#intact.has(descriptor.digest) && !fresh) return true;
    await using handle = await this.folder.openBlob(descriptor.digest);
    if (handle === undefined || (await handle.stat()).size !== descriptor.size) return false;
    const isIntact = await holdsBlob(handle, join(this.folder.root, blobName(descriptor.digest)), 0, descriptor);
    if (isIntact) this.#intact.add(descriptor.digest);
    return isIntact;
  }

  async putBlob(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    checkBytes(bytes, descriptor, 'the blob to write');
    await this.#create();
    if (await this.hasBlob(descriptor)) return;
    await this.folder.replace(blobName(descriptor.digest), bytes);
    this.#sent.add(descriptor);
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async openBlob(): Promise<BlobWriter> {
    await this.#create();
    const { path, handle } = await this.folder.openPartial();
    const writer = new LayoutBlobWriter(this.folder, path, handle, {
      has: (descriptor) => this.hasBlob(descriptor),
      stored: (sent) => this.#sent.add(sent),
      ended: () => this.#writers.delete(writer),
    });
    this.#writers.add(writer);
    return writer;
  }

  putManifest(manifest: StoredManifest): Promise<void> {
    return this.putBlob(descriptorOf(manifest), manifest.bytes);
  }

  listsByItself(): boolean {
    return false;
  }

  async tag(tag: string, manifest: StoredManifest, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
    checkRefName(tag);
    await this.putManifest(manifest);
    await this.#indexGate.run(() =>
      this.folder.changeIndex((index) => withName(index, tag, descriptorOf(manifest), annotations)),
    );
  }

  async commit(): Promise<void> {
    if (this.#created !== undefined) await this.folder.sync();
  }

  async abandon(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
  }

  override close(): Promise<void> {
    return this.abandon();
  }

  /** Looking makes nothing. */
  protected override async isThere(): Promise<boolean> {
    if (this.#created === undefined && !(await this.folder.exists())) return false;
    await this.#create();
    return true;
  }

  #create(): Promise<void> {
    this.#created ??= this.folder.create();
    return this.#created;
  }
}

interface WriterHooks {
  readonly has: (descriptor: Descriptor) => Promise<boolean>;
  readonly stored: (descriptor: Descriptor) => void;
  readonly ended: () => void;
}

class LayoutBlobWriter implements BlobWriter {
  readonly #folder: LayoutFolder;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #hooks: WriterHooks;
  readonly #check = new DigestCheck();

  constructor(folder: LayoutFolder, path: string, handle: FileHandle, hooks: WriterHooks) {
    this.#folder = folder;
    this.#path = path;
    this.#handle = handle;
    this.#hooks = hooks;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const position = this.#check.size;
    this.#check.update(chunk);
    await withFileErrors(this.#path, 'write', () => writeFully(this.#handle, chunk, position));
  }

  async commit(descriptor: Descriptor): Promise<void> {
    try {
      this.#check.finish(descriptor, 'the blob to write');
      if (await this.#hooks.has(descriptor)) return await this.abort();
      await this.#handle.sync();
      await this.#handle.close();
      await this.#folder.place(this.#path, descriptor.digest);
    } catch (error) {
      await this.abort();
      throw fileError(error, this.#path, 'write');
    }
    this.#hooks.stored(descriptor);
    this.#hooks.ended();
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true }).catch(() => undefined);
    this.#hooks.ended();
  }
}
