import type { Clock } from '../../../../src/core/retry.ts';

/** A clock that goes on when somebody sleeps by it, and when it is told to: an hour takes no time. */
export class CloudClock implements Clock {
  #now: number;

  /** Starts in the middle of a minute, so that what is rounded to minutes shows. */
  constructor(start = 1_790_000_012_345) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#now += milliseconds;
  }
}
