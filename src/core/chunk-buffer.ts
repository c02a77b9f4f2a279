import { BlockPool } from './block-pool.ts';
import type { Body } from './body.ts';

/** Bytes of a page: the smallest layers take one, and a request is written page by page. */
export const PAGE = 256 * 1024;

/** Memory for buffers; what one gives back, another takes. */
export const createPages = (): BlockPool => new BlockPool(PAGE);

/** Gathers bytes up to a capacity, in pages of a pool; its memory grows with what it holds. */
export class ChunkBuffer {
  #capacity: number;
  readonly #pool: BlockPool;
  readonly #pages: Buffer[] = [];
  #length = 0;

  constructor(capacity: number, pool: BlockPool) {
    this.#capacity = capacity;
    this.#pool = pool;
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.#capacity;
  }

  /** Raises the capacity, in bytes; never lowers it. */
  widen(capacity: number): void {
    this.#capacity = capacity;
  }

  /** Copies as much of `chunk` as there is room for and returns how much that was, in bytes. */
  append(chunk: Uint8Array): number {
    const taken = Math.min(chunk.length, this.#capacity - this.#length);
    for (let at = 0; at < taken; ) {
      const offset = this.#length % PAGE;
      if (offset === 0) this.#pages.push(this.#pool.take());
      const part = chunk.subarray(at, Math.min(taken, at + PAGE - offset));
      this.#pages.at(-1)?.set(part, offset);
      at += part.length;
      this.#length += part.length;
    }
    return taken;
  }

  /** The bytes from `start` up to `end`: views, valid until `clear`. */
  body(start: number = 0, end: number = this.#length): Body {
    const pages = this.#pages;
    return {
      length: end - start,
      *pieces() {
        for (let at = start; at < end; ) {
          const offset = at % PAGE;
          const length = Math.min(PAGE - offset, end - at);
          const page = pages[Math.floor(at / PAGE)];
          if (page) yield page.subarray(offset, offset + length);
          at += length;
        }
      },
    };
  }

  /** Hands the pages over, each with the bytes that are in it, and is empty then. */
  release(): { memory: Buffer; length: number }[] {
    const length = this.#length;
    this.#length = 0;
    return this.#pages.splice(0).map((memory, at) => ({ memory, length: Math.min(PAGE, length - at * PAGE) }));
  }

  /** Forgets what was gathered, and gives its memory back. */
  clear(): void {
    for (const page of this.#pages.splice(0)) this.#pool.give(page);
    this.#length = 0;
  }
}
