/** A limit on requests of one kind, which a registry is known to count by the second. */
export interface RequestLimit {
  /** What the registry calls them: requests of one kind share a limit. */
  readonly kind: string;
  readonly perSecond: number;
}

/** Milliseconds over which requests are counted here: a second, and what they may be delayed on their way. */
const WINDOW = 1100;

/** Gives requests of one kind their times, so that no second sees more of them than the limit. */
export class RequestRate {
  readonly #perSecond: number;
  /** When the last requests begin, as many as may be in one window. */
  readonly #begins: number[] = [];

  constructor({ perSecond }: RequestLimit) {
    this.#perSecond = perSecond;
  }

  /** The first time from `from` on, in milliseconds, at which one more may begin. It counts as begun then. */
  book(from: number): number {
    const last = this.#begins.at(-1) ?? from;
    const oldest = this.#begins.length < this.#perSecond ? from : (this.#begins.shift() ?? from) + WINDOW;
    const begins = Math.max(from, last, oldest);
    this.#begins.push(begins);
    return begins;
  }
}
