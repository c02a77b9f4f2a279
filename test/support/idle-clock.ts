import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/core/retry.ts';
import { Sleepers } from './sleepers.ts';

/**
 * A clock of a test whose time goes on, to the next who wakes, only when nothing else is under way: what is tracked, such as requests
 * over a socket, takes no time. Any part of the test may sleep, several at once too.
 */
export class IdleClock implements Clock {
  readonly random: () => number;
  readonly #sleepers = new Sleepers();
  #busy = 0;
  #isLooking = false;

  constructor(random: () => number) {
    this.random = random;
  }

  now(): number {
    return this.#sleepers.now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((wake, reject) => {
      const forget = this.#sleepers.add(milliseconds, wake);
      signal?.addEventListener('abort', () => {
        forget();
        reject(signal.reason);
      });
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
    const wake = this.#sleepers.next();
    if (wake === undefined) return;
    wake();
    void this.#look();
  }
}
