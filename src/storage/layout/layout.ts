import type { FileHandle } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/error.ts';
import { fileError, withFileErrors } from '../../core/file-error.ts';
import { Gate } from '../../core/gate.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigest } from '../../oci/digest.ts';
import { checkBytes, DigestCheck } from '../../oci/digest-check.ts';
import { descriptorOf, MANIFEST_LIMIT, readManifest, type StoredManifest } from '../../oci/read-manifest.ts';
import { isRefName } from '../destination.ts';
import { holdsBlob, readFileBlob, writeAll } from '../file-blob.ts';
import type { BlobWriter, Repository } from '../repository.ts';
import { blobName, LayoutFolder } from './layout-folder.ts';
import { findEntry, platformIndex, soleDigest, withName } from './layout-index.ts';
import type { LockTools } from './layout-lock.ts';

/** Throws UserError `reference` unless a layout can hold an image under `name`. */
export const checkRefName = (name: string): void => {
  if (isRefName(name)) return;
  throw new UserError('reference', `The tag ${JSON.stringify(name)} is not legal.`, {
    hint: 'Use letters and digits, with . _ - : @ + or / between them.',
  });
};

/** An OCI image layout in a folder (image-spec, `image-layout.md`). */
export class LayoutRepository implements Repository {
  readonly name: string;
  readonly #folder: LayoutFolder;
  readonly #mode: 'read' | 'write';
  readonly #writers = new Set<BlobWriter>();
  /** Several tags of this process need not poll for the lock that other processes wait for. */
  readonly #indexGate = new Gate(1);
  /** Blobs that were read and found right, by digest. */
  readonly #intact = new Set<string>();
  #ready: Promise<void> | undefined;
  #bytesSent = 0;

  constructor(path: string, mode: 'read' | 'write', tools: LockTools) {
    this.name = `oci:${path}`;
    this.#folder = new LayoutFolder(path, tools);
    this.#mode = mode;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** A damaged blob counts as missing, so that it is written anew: one to be written to is read before it is believed. */
  async hasBlob(descriptor: Descriptor, { fresh } = { fresh: false }): Promise<boolean> {
    if (!(await this.#isThere())) return false;
    if (this.#intact.has(descriptor.digest) && !fresh) return true;
    const handle = await this.#folder.openBlob(descriptor.digest);
    if (handle === undefined) return false;
    try {
      const { size } = await handle.stat();
      if (size !== descriptor.size || this.#mode === 'read') return size === descriptor.size;
      const isIntact = await holdsBlob(handle, join(this.#folder.root, blobName(descriptor.digest)), 0, descriptor);
      if (isIntact) this.#intact.add(descriptor.digest);
      return isIntact;
    } finally {
      await handle.close();
    }
  }

  async *readBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    await this.#prepare();
    const path = join(this.#folder.root, blobName(descriptor.digest));
    const handle = await this.#folder.openBlob(descriptor.digest);
    if (handle === undefined) {
      throw new UserError('file', `${path} is missing.`, { hint: 'The layout is not complete; make it again.' });
    }
    try {
      yield* readFileBlob(handle, path, 0, (await handle.stat()).size, descriptor);
    } finally {
      await handle.close();
    }
  }

  async putBlob(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    checkBytes(bytes, descriptor, 'The blob to write');
    await this.#prepare();
    if (await this.hasBlob(descriptor)) return;
    await this.#folder.replace(blobName(descriptor.digest), bytes);
    this.#bytesSent += bytes.length;
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async openBlob(): Promise<BlobWriter> {
    await this.#prepare();
    const { path, handle } = await this.#folder.openPartial();
    const writer = new LayoutBlobWriter(this.#folder, path, handle, {
      has: (descriptor) => this.hasBlob(descriptor),
      stored: (bytes) => {
        this.#bytesSent += bytes;
      },
      ended: () => this.#writers.delete(writer),
    });
    this.#writers.add(writer);
    return writer;
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    if (!(await this.#isThere())) return undefined;
    const index = await this.#folder.readIndex();
    const whole = platformIndex(index);
    if (whole?.digest === reference) return whole;
    const entry = findEntry(index, reference);
    const digest = entry?.digest ?? (isDigest(reference) ? reference : undefined);
    const handle = digest === undefined ? undefined : await this.#folder.openBlob(digest);
    if (handle === undefined || digest === undefined) return undefined;
    const path = join(this.#folder.root, blobName(digest));
    try {
      if ((await handle.stat()).size > MANIFEST_LIMIT) {
        throw new UserError('file', `${path} is larger than a manifest may be (4 MiB).`, {
          hint: 'Make the layout again.',
        });
      }
      const bytes = await withFileErrors(path, 'read', () => handle.readFile());
      return readManifest(bytes, { where: path, contentType: entry?.mediaType ?? null, reference: digest });
    } finally {
      await handle.close();
    }
  }

  putManifest(manifest: StoredManifest): Promise<void> {
    return this.putBlob(descriptorOf(manifest), manifest.bytes);
  }

  async tag(tag: string, manifest: StoredManifest, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
    checkRefName(tag);
    await this.putManifest(manifest);
    await this.#indexGate.run(() =>
      this.#folder.changeIndex((index) => withName(index, tag, descriptorOf(manifest), annotations)),
    );
  }

  /** Digest of the only image in the layout. Throws UserError `reference` when there are none or several. */
  async soleImage(): Promise<string> {
    await this.#prepare();
    return soleDigest(await this.#folder.readIndex(), this.name);
  }

  async close(): Promise<void> {
    if (this.#mode === 'write' && this.#ready !== undefined) await this.#folder.sync();
  }

  async abandon(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
  }

  /** Looking makes nothing: a layout to be written appears with the first thing in it. */
  async #isThere(): Promise<boolean> {
    if (this.#mode === 'write' && this.#ready === undefined && !(await this.#folder.exists())) return false;
    await this.#prepare();
    return true;
  }

  #prepare(): Promise<void> {
    this.#ready ??= this.#mode === 'write' ? this.#folder.create() : this.#folder.check();
    return this.#ready;
  }
}

interface WriterHooks {
  readonly has: (descriptor: Descriptor) => Promise<boolean>;
  readonly stored: (bytes: number) => void;
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
    await withFileErrors(this.#path, 'written', () => writeAll(this.#handle, chunk, position));
  }

  async commit(descriptor: Descriptor): Promise<void> {
    try {
      this.#check.finish(descriptor, 'The blob to write');
      if (await this.#hooks.has(descriptor)) return await this.abort();
      await this.#handle.sync();
      await this.#handle.close();
      await this.#folder.place(this.#path, descriptor.digest);
    } catch (error) {
      await this.abort();
      throw fileError(error, this.#path, 'written');
    }
    this.#hooks.stored(descriptor.size);
    this.#hooks.ended();
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true }).catch(() => undefined);
    this.#hooks.ended();
  }
}

/** Opens a layout; `tools` are for waiting until others have written theirs. */
export const openLayoutRepository = (path: string, mode: 'read' | 'write', tools: LockTools = {}): LayoutRepository =>
  new LayoutRepository(path, mode, tools);
