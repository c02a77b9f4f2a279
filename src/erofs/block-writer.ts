import type { FileHandle } from 'node:fs/promises';
import { BlockPool } from '../core/block-pool.ts';
import { dataRuns } from '../core/data-runs.ts';
import { writeFully } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import { FS_BLOCK } from './positions.ts';

/** Where a file system is written to: a file that has only holes there, since zeros are not written. */
export interface ErofsTarget {
  readonly file: FileHandle;
  /** How errors call the file. */
  readonly path: string;
  /** Bytes before the file system. */
  readonly start: number;
}

/** Bytes that are gathered for one write: larger ones are no faster, and there are three. */
const BUFFER_BYTES = 1 << 20;

/** Buffers on their way to the disk while the next is filled: reading and writing keep two cores busy. */
const PENDING = 2;

/**
 * Writes bytes that come one after another, from wherever it was sent to; blocks of zeros stay holes. Whoever has called
 * `finish` or had an error may take it that no write is under way any more.
 */
export class BlockWriter {
  readonly #target: ErofsTarget;
  readonly #pool = new BlockPool(BUFFER_BYTES);
  readonly #pending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #buffer: Buffer;
  /** Bytes of the buffer that are filled, and where in the file system it begins. */
  #used = 0;
  #position = 0;

  constructor(target: ErofsTarget) {
    this.#target = target;
    this.#buffer = this.#pool.take();
  }

  /** Goes on at a block of the file system. */
  async moveTo(block: number): Promise<void> {
    const position = block * FS_BLOCK;
    if (position === this.#position + this.#used) return;
    await this.#send();
    this.#position = position;
  }

  /** Memory for the next bytes, never empty: fill its beginning, and call `advance`. */
  async space(): Promise<Buffer> {
    if (this.#used === BUFFER_BYTES) await this.#send();
    return this.#buffer.subarray(this.#used);
  }

  /** So many bytes of `space` are filled. */
  advance(bytes: number): void {
    this.#used += bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const space = await this.space();
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      this.advance(part.length);
      at += part.length;
    }
  }

  /** Zeros up to the end of the block. */
  pad(): void {
    const end = Math.ceil(this.#used / FS_BLOCK) * FS_BLOCK;
    this.#buffer.fill(0, this.#used, end);
    this.#used = end;
  }

  /** Waits until all is written. Throws UserError `file` when the disk takes no more. */
  async finish(): Promise<void> {
    await this.#send();
    await this.settle();
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits until nothing is under way, whether it succeeds or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #send(): Promise<void> {
    while (this.#pending.size >= PENDING) await Promise.race(this.#pending);
    if (this.#failure) throw this.#failure.error;
    if (this.#used > 0) {
      const buffer = this.#buffer;
      const write = this.#writeOut(buffer, this.#used, this.#position)
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => {
          this.#pool.give(buffer);
          this.#pending.delete(write);
        });
      this.#pending.add(write);
      this.#buffer = this.#pool.take();
    }
    this.#position += this.#used;
    this.#used = 0;
  }

  async #writeOut(buffer: Buffer, used: number, position: number): Promise<void> {
    const { file, path, start } = this.#target;
    const place = start + position;
    for (const { from, to } of dataRuns(buffer.subarray(0, used), place)) {
      await withFileErrors(path, 'write', () => writeFully(file, buffer.subarray(from, to), place + from));
    }
  }
}
