import { ASKS, TRANSFERRED, type Transfer } from './transfer.ts';
import type { Turn } from './transfer-queue.ts';

/** Milliseconds for one entry: 64 MB at a fifth of a megabyte a second, and five tries of a service that does not answer. */
export const TIME_LIMIT = 300_000;

/** The file to send for `save`, and to write for `restore`. */
export type Moved = Transfer & { readonly file?: string };

/** What a process is to do, and when it may. */
export interface EntryOrder {
  readonly moved: Moved;
  readonly turn: Turn;
}

/** What is said to the process that moves an entry, and what it says: its standard input and output (`host/cache-transfer.ts`). */
export class Talk {
  heard = '';
  /** Whether its turn came when nothing was to be moved any more. */
  isSkipped = false;
  readonly #ordered: Promise<EntryOrder | undefined>;
  readonly #isOff: () => boolean;
  #order: EntryOrder | undefined;
  readonly #late = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Resolves to whether it asks for its turn; to false when it ends without. */
  readonly #asks = Promise.withResolvers<boolean>();
  /** Resolves to false when it ends: it may die while it waits for its turn. */
  readonly #ends = Promise.withResolvers<false>();

  /** `ordered` may be resolved later, and to undefined; `isOff` is asked when the turn has come: whether nothing is to be moved any more. */
  constructor(ordered: Promise<EntryOrder | undefined>, isOff: () => boolean) {
    this.#ordered = ordered;
    this.#isOff = isOff;
  }

  /** What it was told to do; undefined where nothing was. */
  get moved(): Moved | undefined {
    return this.#order?.moved;
  }

  /** Fires when the entry has taken too long. What it waits for its turn does not count. */
  get late(): AbortSignal {
    return this.#late.signal;
  }

  /** What it is told: what to do, and to go on when it has asked and its turn has come, unless nothing is to be moved then. */
  async *say(): AsyncGenerator<Uint8Array> {
    this.#order = (await Promise.race([this.#ordered, this.#ends.promise])) || undefined;
    if (this.#order === undefined) return;
    const { moved, turn } = this.#order;
    this.#startTime();
    yield Buffer.from(`${JSON.stringify({ verb: moved.verb, key: moved.key } satisfies Transfer)}\n`);
    if (!(await this.#asks.promise)) return;
    clearTimeout(this.#timer);
    if (!(await Promise.race([turn.comes.then(() => true), this.#ends.promise]))) return;
    this.isSkipped = this.#isOff();
    if (this.isSkipped) return;
    this.#startTime();
    yield Buffer.from('go\n');
  }

  /** Hears all that it says. A restore's turn is over when it has its bytes; any other's with `TransferQueue.run`. */
  async listen(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of chunks) {
        this.heard += decoder.decode(chunk, { stream: true });
        if (this.heard.includes(ASKS)) this.#asks.resolve(true);
        if (this.moved?.verb === 'restore' && TRANSFERRED.test(this.heard)) this.#order?.turn.isOver();
      }
    } finally {
      this.#asks.resolve(false);
      this.#ends.resolve(false);
    }
  }

  /** To be called when the process has ended. */
  end(): void {
    clearTimeout(this.#timer);
  }

  #startTime(): void {
    this.#timer = setTimeout(() => this.#late.abort(), TIME_LIMIT);
  }
}
