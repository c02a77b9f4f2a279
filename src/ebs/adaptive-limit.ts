/** Answers that take so many times the fastest wait in line. */
const SLOW = 4;

/** Milliseconds below which an answer is fast, whatever others are. */
const LEAST = 5;

/** By how much the fastest answer counts as slower with each answer. */
const FORGETTING = 1.02;

/** A request under way. */
interface Ticket {
  /** How often the limit had shrunk when it began. */
  readonly epoch: number;
  /** When it began, in milliseconds. */
  readonly at: number;
}

/**
 * How many requests may be under way at once, as the service bears it: twice as many each round until it first asks for fewer, then one more
 * a round, and half as many each time it asks. Refusals of requests that began before the last time say nothing new. Where answers take much longer
 * than the fastest, more requests would only wait in line, and hold memory.
 */
export class AdaptiveLimit {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #width: number;
  #used = 0;
  #epoch = 0;
  #fastest = Number.POSITIVE_INFINITY;

  /** `start` requests at first, at most `most`. */
  constructor(start: number, most: number) {
    this.#most = most;
    this.#width = Math.min(start, most);
  }

  /** Requests that may be under way now. */
  get width(): number {
    return Math.floor(this.#width);
  }

  /** Waits for a place. `leave` gives it back. */
  async enter(): Promise<void> {
    while (this.#used >= this.width) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#used += 1;
  }

  leave(): void {
    this.#used -= 1;
    this.#wake();
  }

  /** A request begins, at this time in milliseconds. */
  begin(now: number): Ticket {
    return { epoch: this.#epoch, at: now };
  }

  /** A request was answered as it should be, at this time. */
  succeeded({ at }: Ticket, now: number): void {
    // It is forgotten by and by: networks change.
    this.#fastest = Math.min(now - at, this.#fastest * FORGETTING);
    if (now - at > SLOW * Math.max(this.#fastest, LEAST)) return;
    this.#width = Math.min(this.#most, this.#width + (this.#epoch === 0 ? 1 : 1 / this.#width));
    this.#wake();
  }

  /** The service asked for fewer requests, or was too slow for as many. */
  refused({ epoch }: Ticket): void {
    if (epoch !== this.#epoch) return;
    this.#epoch += 1;
    this.#width = Math.max(1, this.#width / 2);
  }

  #wake(): void {
    for (let free = this.width - this.#used; free > 0; free -= 1) this.#waiting.shift()?.();
  }
}
