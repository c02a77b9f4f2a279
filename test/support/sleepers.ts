interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Those who sleep by a clock of a test, and its time, which goes on when one of them is woken. */
export class Sleepers {
  #now = 0;
  #all: Sleeper[] = [];

  get now(): number {
    return this.#now;
  }

  get size(): number {
    return this.#all.length;
  }

  /** `wake` is for when so much time has passed; what this returns forgets it. */
  add(milliseconds: number, wake: () => void): () => void {
    const sleeper = { until: this.#now + milliseconds, wake };
    this.#all.push(sleeper);
    return () => {
      this.#all = this.#all.filter((one) => one !== sleeper);
    };
  }

  /** Lets time go on to the next who wakes, and gives what wakes it; undefined where nobody sleeps. */
  next(): (() => void) | undefined {
    const [first, ...others] = this.#all.toSorted((a, b) => a.until - b.until);
    if (first === undefined) return undefined;
    this.#all = others;
    this.#now = Math.max(this.#now, first.until);
    return first.wake;
  }
}
