import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { constants, createZstdCompress } from 'node:zlib';
import { releaseMemory } from '../../core/release-memory.ts';

/** Bytes that are compressed at once. */
const PIECE = 256 * 1024;

/** Bytes that most layers need, whose files are few. */
const FIRST = 32 * 1024;

/**
 * zstd's usual level in any layer, and a window of 512 KiB: what is said of a file is like what is said of its neighbours, and two windows of
 * every thread are memory.
 */
const OPTIONS = {
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 19 },
  chunkSize: 64 * 1024,
};

/**
 * A text that is compressed as it grows, in one frame: only that is held in memory. What waits is held as bytes, for strings that wait outlive their
 * time in V8's heap, which then grows by tens of megabytes.
 */
export class PackedText {
  readonly #stream = createZstdCompress(OPTIONS);
  readonly #parts: Buffer[] = [];
  #waiting = Buffer.allocUnsafeSlow(FIRST);
  #length = 0;
  #size = 0;
  #failure: Error | undefined;

  constructor() {
    this.#stream.on('data', (part: Buffer) => this.#parts.push(part));
    this.#stream.on('error', (error) => {
      this.#failure = error;
    });
  }

  /** Bytes of all that was added. */
  get size(): number {
    return this.#size;
  }

  add(text: string): void {
    const size = Buffer.byteLength(text);
    if (this.#length + size > this.#waiting.length) this.#grow(this.#length + size);
    this.#waiting.write(text, this.#length);
    this.#length += size;
    this.#size += size;
  }

  /** Compresses what was added, if it is enough. */
  async settle(): Promise<void> {
    if (this.#length >= PIECE) await this.#write();
  }

  /** All of it, compressed. Rejects with zlib's error. */
  async end(): Promise<Buffer> {
    await this.#write();
    this.#stream.end();
    if (!this.#stream.readableEnded) await once(this.#stream, 'end');
    return Buffer.concat(this.#parts);
  }

  /** Gives up what it holds. */
  close(): void {
    this.#stream.destroy();
    releaseMemory(this.#waiting);
    this.#waiting = Buffer.alloc(0);
    this.#length = 0;
    for (const part of this.#parts) releaseMemory(part);
    this.#parts.length = 0;
  }

  #grow(least: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * least);
    larger.set(this.#waiting.subarray(0, this.#length));
    releaseMemory(this.#waiting);
    this.#waiting = larger;
  }

  async #write(): Promise<void> {
    if (this.#failure) throw this.#failure;
    const bytes = this.#waiting.subarray(0, this.#length);
    this.#length = 0;
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** SHA-256 as the format names it. */
export const sha256Of = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
