import type { EntryOrder } from './talk.ts';
import type { Said } from './verdict.ts';

/** Milliseconds for which one is kept: by then it is known what is wanted, and it takes 50 MB of memory. */
const LIFE = 60_000;

/** A process that is started before it is known which entry it is to move. It ends when nothing is to be moved, or not soon enough. */
export class SpareTransfer {
  readonly #order = Promise.withResolvers<EntryOrder | undefined>();
  readonly #said: Promise<Said | undefined>;
  readonly #timer: NodeJS.Timeout;
  #isWaiting = true;

  /** `move` starts the process, and gives what it said. */
  constructor(move: (order: Promise<EntryOrder | undefined>) => Promise<Said | undefined>) {
    this.#said = move(this.#order.promise);
    const end = (): void => {
      this.#isWaiting = false;
      this.#order.resolve(undefined);
    };
    this.#timer = setTimeout(end, LIFE).unref();
    // Whoever gives it something hears of it too.
    this.#said.then(end, end);
  }

  /** Whether it can be given something to do. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Has it move an entry, once. */
  async give(order: EntryOrder): Promise<Said | undefined> {
    clearTimeout(this.#timer);
    this.#isWaiting = false;
    this.#order.resolve(order);
    return await this.#said;
  }
}
