import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { constants, createZstdCompress } from 'node:zlib';

/** Characters that are compressed at once. */
const PIECE = 256 * 1024;

/**
 * zstd's usual level in any layer, and a window of 512 KiB: what is said of a file is like what is said of its neighbours, and two windows of
 * every thread are memory.
 */
const OPTIONS = {
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 19 },
  chunkSize: 64 * 1024,
};

/** A text that is compressed as it grows, in one frame: only that is held in memory. */
export class PackedText {
  readonly #stream = createZstdCompress(OPTIONS);
  readonly #parts: Buffer[] = [];
  #waiting: string[] = [];
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
    this.#waiting.push(text);
    this.#length += text.length;
    this.#size += Buffer.byteLength(text);
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
    this.#waiting = [];
    this.#length = 0;
    this.#parts.length = 0;
    this.#stream.destroy();
  }

  async #write(): Promise<void> {
    if (this.#failure) throw this.#failure;
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#length = 0;
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** SHA-256 as the format names it. */
export const sha256Of = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
