import { setTimeout } from 'node:timers/promises';

/** Milliseconds of a control call, and until a blob's first byte. */
const CALL = 80;
const FIRST_BYTE = 25;

const BYTES_PER_MS = 100_000;

/** Bytes that are sent in one go, so that transfers share the line. */
const SLICE = 1_000_000;

/** The way to a cache service: calls take their time at once, bytes of all transfers one after another. */
export class Link {
  calls = 0;
  blobs = 0;
  bytes = 0;
  #freeAt = 0;

  async call(): Promise<void> {
    this.calls += 1;
    await setTimeout(CALL);
  }

  async blob(bytes: number): Promise<void> {
    this.blobs += 1;
    this.bytes += bytes;
    await setTimeout(FIRST_BYTE);
    for (let left = bytes; left > 0; left -= SLICE) {
      const now = performance.now();
      this.#freeAt = Math.max(this.#freeAt, now) + Math.min(left, SLICE) / BYTES_PER_MS;
      await setTimeout(this.#freeAt - now);
    }
  }

  counts(): LinkCounts {
    return { calls: this.calls, blobs: this.blobs, bytes: this.bytes };
  }
}

export interface LinkCounts {
  readonly calls: number;
  readonly blobs: number;
  readonly bytes: number;
  /** Memory of the server at its peak, in bytes. */
  readonly peak?: number;
}
