/**
 * The slowest line that is waited for, in bytes per millisecond (16 kB/s): a home line that several layers share is
 * faster, and what is slower would take days.
 */
export const SLOWEST_LINE = 16;

/**
 * Counts how long one has waited for a line and what it has moved meanwhile. Waiting for whoever makes or takes the bytes
 * does not count.
 */
export class Pace {
  readonly #patience: number;
  #waited = 0;
  #moved = 0;

  /** `patience`: what the line gets beside the time for its bytes, in milliseconds. */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /** Milliseconds that the line may take for the next `bytes`, 0 or less when it has been too slow already. */
  left(bytes: number = 0): number {
    return this.#patience + (this.#moved + bytes) / SLOWEST_LINE - this.#waited;
  }

  /** `bytes` moved within so many milliseconds of waiting. */
  moved(bytes: number, milliseconds: number): void {
    this.#moved += bytes;
    this.#waited += milliseconds;
  }
}

/** What is said of a line that moves, but not fast enough. */
export class SlowLineError extends Error {
  override readonly name = 'SlowLineError';

  constructor(what: string) {
    super(`${what} moved slower than ${SLOWEST_LINE} kB/s`);
  }
}
