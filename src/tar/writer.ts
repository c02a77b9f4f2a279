import { closeSync, openSync, readSync } from 'node:fs';
import { BlockPool } from '../core/block-pool.ts';
import { type ByteString, toBytes, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { contentSize, type TarEntry } from './entry.ts';
import { endBlocks, padding } from './header.ts';
import { layerHeader } from './layer-header.ts';

/**
 * Bytes in a block of the stream: large enough that hashing and compressing run at full speed, small enough to stay in a
 * core's cache while it is read, hashed and compressed.
 */
export const STREAM_BLOCK = 1024 * 1024;

/**
 * The bytes of a layer's tar as blocks of exactly 1 MiB (the last one shorter), taken from `pool`. Content is read straight into
 * the block it stands in, with blocking calls: layers are made on threads of their own, and most files of a closure are
 * so small that a round trip through the thread pool costs several times the read itself. Throws UserError `file` when a
 * file cannot be read or changed its size.
 */
export function* tarStream(
  entries: Iterable<TarEntry>,
  pool: BlockPool = new BlockPool(STREAM_BLOCK),
): Generator<Buffer> {
  let block = pool.take();
  let used = 0;
  function* put(bytes: Uint8Array): Generator<Buffer> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + STREAM_BLOCK - used);
      block.set(part, used);
      at += part.length;
      used += part.length;
      if (used === STREAM_BLOCK) yield* next();
    }
  }
  function* next(): Generator<Buffer> {
    yield block;
    block = pool.take();
    used = 0;
  }

  for (const entry of entries) {
    yield* put(layerHeader(entry));
    if (entry.type !== 'file') continue;
    const size = contentSize(entry);
    if (entry.content.kind === 'bytes') yield* put(entry.content.bytes);
    else if (size > 0) {
      const file = new ContentFile(entry.content.path, size);
      try {
        while (!file.isRead) {
          used += file.read(block, used);
          if (used === STREAM_BLOCK) yield* next();
        }
        file.checkEnd();
      } finally {
        file.close();
      }
    }
    yield* put(Buffer.alloc(padding(size)));
  }
  yield* put(endBlocks());
  if (used > 0) yield block.subarray(0, used);
}

/** A file that is read once, from start to end, and must have the size that it was listed with. */
class ContentFile {
  readonly #path: ByteString;
  readonly #size: number;
  readonly #descriptor: number;
  #left: number;

  constructor(path: ByteString, size: number) {
    this.#path = path;
    this.#size = size;
    this.#left = size;
    this.#descriptor = this.#attempt(() => openSync(toBytes(path), 'r'));
  }

  get isRead(): boolean {
    return this.#left === 0;
  }

  /** Reads into `block` from `offset` on, as far as file and block go; returns the bytes read. */
  read(block: Buffer, offset: number): number {
    const length = Math.min(this.#left, block.length - offset);
    const count = this.#attempt(() => readSync(this.#descriptor, block, offset, length, null));
    if (count === 0) throw this.#changed();
    this.#left -= count;
    return count;
  }

  checkEnd(): void {
    const more = Buffer.allocUnsafe(1);
    if (this.#attempt(() => readSync(this.#descriptor, more, 0, 1, null)) > 0) throw this.#changed();
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #attempt<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UserError('file', `cannot read ${toText(this.#path)}: ${why}`, {
        hint: 'Check the store with `nix-store --verify --check-contents`; garbage may have been collected during the build.',
        cause: error,
      });
    }
  }

  #changed(): UserError {
    return new UserError(
      'file',
      `${toText(this.#path)} changed while it was read: it had ${this.#size} bytes when it was listed`,
      {
        hint: 'Store paths never change by themselves: check the store with `nix-store --verify --check-contents`.',
      },
    );
  }
}
