import type { BlockPool } from '../../../core/block-pool.ts';
import { type ChunkBuffer, PAGE } from '../../../core/chunk-buffer.ts';

interface Page {
  readonly memory: Buffer;
  length: number;
}

/**
 * Bytes on their way from one who makes them to one who sends them, in pages that are used again as soon as they are sent.
 * A writer waits while `limit` bytes wait, so memory does not grow with what passes through.
 */
export class PageQueue {
  readonly #pool: BlockPool;
  readonly #limit: number;
  readonly #pages: Page[] = [];
  #wake = Promise.withResolvers<void>();
  #waiting = 0;
  #size = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;

  /** Starts with what `held` holds; its memory goes over. */
  constructor(held: ChunkBuffer, pool: BlockPool, limit: number) {
    this.#pool = pool;
    this.#limit = limit;
    this.#size = held.length;
    this.#waiting = held.length;
    for (const page of held.release()) this.#pages.push(page);
  }

  /** All bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Whether the reader has had everything. */
  get isDrained(): boolean {
    return this.#isEnded && this.#waiting === 0;
  }

  /** Copies `chunk`; resolves when more may come. Rejects with what `fail` was given. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      while (this.#waiting >= this.#limit && this.#failure === undefined) await this.#wake.promise;
      if (this.#failure) throw this.#failure.error;
      const page = this.#open();
      const part = chunk.subarray(at, at + PAGE - page.length);
      page.memory.set(part, page.length);
      page.length += part.length;
      this.#waiting += part.length;
      this.#size += part.length;
      at += part.length;
      if (page.length === PAGE) this.#wakeAll();
    }
  }

  /** No more will be written. */
  end(): void {
    this.#isEnded = true;
    this.#wakeAll();
  }

  /** Breaks both ends: the reader and the writer get `error`. What waits is given back. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { memory } of this.#pages.splice(0)) this.#pool.give(memory);
    this.#wakeAll();
  }

  /** Full pages as they come, and the rest at the end. A page goes back to the pool when the next one is asked for. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure) throw this.#failure.error;
      const [page] = this.#pages;
      if (page !== undefined && (page.length === PAGE || this.#isEnded)) {
        this.#pages.shift();
        yield page.memory.subarray(0, page.length);
        this.#pool.give(page.memory);
        this.#waiting -= page.length;
        this.#wakeAll();
      } else if (this.#isEnded) return;
      else await this.#wake.promise;
    }
  }

  /** The last page, when there is room in it. */
  #open(): Page {
    const last = this.#pages.at(-1);
    if (last !== undefined && last.length < PAGE) return last;
    const page = { memory: this.#pool.take(), length: 0 };
    this.#pages.push(page);
    return page;
  }

  #wakeAll(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
