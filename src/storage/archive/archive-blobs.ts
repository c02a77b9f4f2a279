import { type FileHandle, open } from 'node:fs/promises';
import type { BlockPool } from '../../core/block-pool.ts';
import { ChunkBuffer, createPages } from '../../core/chunk-buffer.ts';
import { UserError } from '../../core/error.ts';
import { withFileErrors } from '../../core/file-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { checkBytes, DigestCheck } from '../../oci/digest-check.ts';
import type { Slice } from '../../tar/index.ts';
import type { BlobWriter } from '../destination.ts';
import { holdsBlob, readFileBlob } from '../file-blob.ts';
import { blobName } from '../layout/layout-folder.ts';
import { SentBytes } from '../sent-bytes.ts';
import type { ArchiveFile, ArchiveSlot } from './archive-file.ts';

// Blobs up to this size wait for their digest in memory, so that several can be written at once.
const BUFFER_SIZE = 16 * 1024 * 1024;

/** The blobs of an archive that is being written, as `blobs/sha256/…`. */
export class ArchiveBlobs {
  readonly #file: ArchiveFile;
  readonly #slices = new Map<string, Slice>();
  readonly #pages = createPages();
  readonly #writers = new Set<BlobWriter>();
  readonly #sent = new SentBytes();

  constructor(file: ArchiveFile) {
    this.#file = file;
  }

  /** Bytes of blobs written. */
  get bytes(): number {
    return this.#sent.total;
  }

  takeSent(digest: Digest): number {
    return this.#sent.take(digest);
  }

  has(descriptor: Descriptor): boolean {
    return this.#slices.has(descriptor.digest);
  }

  /** Whether a blob that was written is what it should be, as it lies in the file now. */
  async isIntact(descriptor: Descriptor): Promise<boolean> {
    const slice = this.#slices.get(descriptor.digest);
    if (slice?.size !== descriptor.size) return false;
    return holdsBlob(this.#file.handle, this.#file.path, slice.offset, descriptor);
  }

  /** The bytes of a blob, also while the archive gets to its place and when it is there. */
  async *read(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    const { path, partial } = this.#file;
    const slice = this.#sliceOf(descriptor);
    // Not by the handle that is written with, which may be closed meanwhile.
    const placed = (): Promise<FileHandle> => withFileErrors(path, 'read', () => open(path));
    await using handle = await open(partial).catch(placed);
    yield* readFileBlob(handle, path, slice, descriptor);
  }

  #sliceOf({ digest }: Descriptor): Slice {
    const slice = this.#slices.get(digest);
    if (slice !== undefined) return slice;
    throw new UserError('file', `${this.#file.path} has no blob ${digest}`, { hint: 'Write it there first.' });
  }

  async put(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    checkBytes(bytes, descriptor, 'the blob to write');
    if (this.has(descriptor)) return;
    this.#record(descriptor, await this.#file.append(blobName(descriptor.digest), bytes));
  }

  open(): BlobWriter {
    const writer = new ArchiveBlobWriter(this.#file, this.#pages, {
      has: (descriptor) => this.has(descriptor),
      put: (descriptor, bytes) => this.put(descriptor, bytes),
      stored: (descriptor, slice) => this.#record(descriptor, slice),
      ended: () => this.#writers.delete(writer),
    });
    this.#writers.add(writer);
    return writer;
  }

  /** Ends every writer that is still open. Never throws. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
  }

  // Two writers may have had the same blob in hand; the first one counts, the other is a harmless double.
  #record(descriptor: Descriptor, slice: Slice): void {
    this.#slices.set(descriptor.digest, slice);
    this.#sent.add(descriptor);
  }
}

interface WriterHooks {
  readonly has: (descriptor: Descriptor) => boolean;
  readonly put: (descriptor: Descriptor, bytes: Uint8Array) => Promise<void>;
  readonly stored: (descriptor: Descriptor, slice: Slice) => void;
  readonly ended: () => void;
}

class ArchiveBlobWriter implements BlobWriter {
  readonly #file: ArchiveFile;
  readonly #hooks: WriterHooks;
  readonly #buffer: ChunkBuffer;
  readonly #check = new DigestCheck();
  #slot: ArchiveSlot | undefined;
  #reserving: Promise<ArchiveSlot> | undefined;
  #isEnded = false;

  constructor(file: ArchiveFile, pages: BlockPool, hooks: WriterHooks) {
    this.#file = file;
    this.#buffer = new ChunkBuffer(BUFFER_SIZE, pages);
    this.#hooks = hooks;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#slot === undefined && this.#buffer.length + chunk.length <= BUFFER_SIZE) {
      this.#buffer.append(chunk);
      return;
    }
    const slot = this.#slot ?? (await this.#overflow());
    this.#check.update(chunk);
    await slot.write(chunk);
  }

  async commit(descriptor: Descriptor): Promise<void> {
    try {
      if (this.#slot === undefined) await this.#hooks.put(descriptor, Buffer.concat([...this.#buffer.body().pieces()]));
      else await this.#keep(this.#slot, descriptor);
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#end();
  }

  async abort(): Promise<void> {
    if (this.#isEnded) return;
    this.#end();
    const slot = this.#slot ?? (await this.#reserving?.catch(() => undefined));
    await slot?.drop().catch(() => undefined);
  }

  /** Takes the archive for itself and writes what was held back. */
  async #overflow(): Promise<ArchiveSlot> {
    this.#reserving = this.#file.reserve();
    const slot = await this.#reserving;
    this.#slot = slot;
    for (const piece of this.#buffer.body().pieces()) {
      this.#check.update(piece);
      await slot.write(piece);
    }
    this.#buffer.clear();
    return slot;
  }

  async #keep(slot: ArchiveSlot, descriptor: Descriptor): Promise<void> {
    this.#check.finish(descriptor, 'the blob to write');
    if (this.#hooks.has(descriptor)) return slot.drop();
    this.#hooks.stored(descriptor, await slot.keep(blobName(descriptor.digest)));
  }

  #end(): void {
    this.#isEnded = true;
    this.#buffer.clear();
    this.#hooks.ended();
  }
}
