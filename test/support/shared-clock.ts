import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/core/retry.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/**
 * One clock for several actors: its time goes on when all of them sleep, to the next who wakes. What they do meanwhile takes no
 * time, be it a request over a socket, so that each run with the same chances is the same.
 */
export class SharedClock implements Clock {
  readonly #random: () => number;
  #now = 0;
  #actors = 0;
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

  sleep(milliseconds: number): Promise<void> {
    const slept = new Promise<void>((wake) => {
      this.#sleepers.push({ until: this.#now + milliseconds, wake });
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
    if (this.#actors === 0 || this.#sleepers.length < this.#actors) return;
    const [first, ...others] = this.#sleepers.toSorted((a, b) => a.until - b.until);
    this.#sleepers = others;
    this.#now = Math.max(this.#now, first?.until ?? 0);
    // Whoever was woken before has its turn first.
    void turn().then(() => first?.wake());
  }
}
