import { closeSync, openSync, readSync } from 'node:fs';
import { BlockPool } from '../core/block-pool.ts';
import { type ByteString, toPath, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { contentSize, type TarEntry } from './entry.ts';
import { BLOCK, endBlocks, padding } from './header.ts';
import { layerHeader } from './layer-header.ts';

/**
 * Bytes in a block of the stream: large enough that hashing and compressing run at full speed, small enough to stay in a
 * core's cache while it is read, hashed and compressed.
 */
export const STREAM_BLOCK = 1024 * 1024;

/**
 * The bytes of a layer's tar from byte `from` on as blocks of exactly the pool's size, 1 MiB (the last one shorter), taken from `pool`.
 * Content is read straight into the block it stands in, with blocking calls: layers are made on threads of their own, and most files of a
 * closure are so small that a round trip through the thread pool costs several times the read itself. What is before `from` is counted
 * and not read. `onEntry` is told of each entry and the length of its header before the block is yielded in which that begins. Throws UserError
 * `file` when a file cannot be read or changed its size.
 */
export function* tarStream(
  entries: Iterable<TarEntry>,
  pool: BlockPool = new BlockPool(STREAM_BLOCK),
  from = 0,
  onEntry: (entry: TarEntry, headerLength: number) => void = () => {},
): Generator<Buffer> {
  let block = pool.take();
  let used = 0;
  let toSkip = from;
  /** It is copied into its block before the next one is made. */
  const ownHeader = Buffer.alloc(BLOCK);
  /** How many of the next `length` bytes are before `from`. */
  const skip = (length: number): number => {
    const skipped = Math.min(toSkip, length);
    toSkip -= skipped;
    return skipped;
  };
  function* put(bytes: Uint8Array): Generator<Buffer> {
    for (let at = skip(bytes.length); at < bytes.length; ) {
      const part = bytes.subarray(at, at + pool.size - used);
      block.set(part, used);
      at += part.length;
      used += part.length;
      if (used === pool.size) yield* next();
    }
  }
  function* next(): Generator<Buffer> {
    yield block;
    block = pool.take();
    used = 0;
  }

  for (const entry of entries) {
    const header = layerHeader(entry, ownHeader);
    onEntry(entry, header.length);
    yield* put(header);
    if (entry.type !== 'file') continue;
    const size = contentSize(entry);
    if (entry.content.kind === 'bytes') yield* put(entry.content.bytes);
    else if (size > 0) {
      const skipped = skip(size);
      // A file that is left out whole is not even opened.
      if (skipped < size) {
        const file = new ContentFile(entry.content.path, size, skipped);
        try {
          while (!file.isRead) {
            used += file.read(block, used);
            if (used === pool.size) yield* next();
          }
        } finally {
          file.close();
        }
      }
    }
    yield* put(ZEROS.subarray(0, padding(size)));
  }
  yield* put(endBlocks());
  if (used > 0) yield block.subarray(0, used);
}

const ZEROS = Buffer.alloc(BLOCK);

/** A file that is read once, from byte `start` to its end, and must have the size that it was listed with. */
class ContentFile {
  readonly #path: ByteString;
  readonly #size: number;
  readonly #descriptor: number;
  #left: number;

  constructor(path: ByteString, size: number, start: number) {
    this.#path = path;
    this.#size = size;
    this.#left = size - start;
    this.#descriptor = this.#attempt(() => openSync(toPath(path), 'r'));
  }

  get isRead(): boolean {
    return this.#left === 0;
  }

  /**
   * Reads into `block` from `offset` on, as far as file and block go; returns the bytes read. With the last of them it looks for one more byte,
   * for which a block that they fill has no room.
   */
  read(block: Buffer, offset: number): number {
    const room = block.length - offset;
    const count = this.#readInto(block, offset, Math.min(this.#left + 1, room));
    if (count === 0 || count > this.#left) throw this.#changed();
    this.#left -= count;
    if (this.#left === 0 && count === room && this.#readInto(Buffer.allocUnsafe(1), 0, 1) > 0) throw this.#changed();
    return count;
  }

  #readInto(block: Buffer, offset: number, length: number): number {
    return this.#attempt(() => readSync(this.#descriptor, block, offset, length, this.#size - this.#left));
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
