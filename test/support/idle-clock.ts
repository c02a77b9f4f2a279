import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/core/retry.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/**
 * A clock of a test whose time goes on, to the next who wakes, only when nothing else is under way: what is tracked, such as requests
 * over a socket, takes no time. Any part of the test may sleep, several at once too.
 */
export class IdleClock implements Clock {
  readonly #random: () => number;
  #now = 0;
  #busy = 0;
  #isLooking = false;
  #sleepers: Sleeper[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random();
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((wake, reject) => {
      const sleeper = { until: this.#now + milliseconds, wake };
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        reject(signal.reason);
      });
      this.#sleepers.push(sleeper);
      void this.#look();
    });
  }

  /** Time stands still until it has ended. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work;
    } finally {
      this.#busy -= 1;
      void this.#look();
    }
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    // Whoever was woken has its turn first.
    await turn();
    await turn();
    this.#isLooking = false;
    if (this.#busy > 0) return;
    const [first] = this.#sleepers.toSorted((a, b) => a.until - b.until);
    if (first === undefined) return;
    this.#sleepers = this.#sleepers.filter((one) => one !== first);
    this.#now = Math.max(this.#now, first.until);
    first.wake();
    void this.#look();
  }
}
