import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/core/retry.ts';
import { Sleepers } from './sleepers.ts';

/**
 * One clock for several actors: its time goes on when all of them sleep, to the next who wakes. What they do meanwhile takes no
 * time, be it a request over a socket, so that each run with the same chances is the same.
 */
export class SharedClock implements Clock {
  readonly random: () => number;
  readonly #sleepers = new Sleepers();
  #actors = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  now(): number {
    return this.#sleepers.now;
  }

  sleep(milliseconds: number): Promise<void> {
    const slept = new Promise<void>((wake) => {
      this.#sleepers.add(milliseconds, wake);
    });
    this.#advance();
    return slept;
  }

  /** Runs the actors until the last has ended. */
  async run(actors: readonly (() => Promise<void>)[]): Promise<void> {
    this.#actors += actors.length;
    await Promise.all(
      actors.map(async (act) => {
        try {
          await act();
        } finally {
          this.#actors -= 1;
          this.#advance();
        }
      }),
    );
  }

  #advance(): void {
    if (this.#actors === 0 || this.#sleepers.size < this.#actors) return;
    const wake = this.#sleepers.next();
    // Whoever was woken before has its turn first.
    void turn().then(() => wake?.());
  }
}
