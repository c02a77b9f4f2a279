/** A value that is read late: for a while after a change some reads still show what was before. */
export class Settling<T> {
  #value: T;
  #before: T;
  #settlesAt = 0;

  constructor(value: T) {
    this.#value = value;
    this.#before = value;
  }

  /** What is true, whatever reads show. */
  get value(): T {
    return this.#value;
  }

  set(value: T, settlesAt: number): void {
    this.#before = this.#value;
    this.#value = value;
    this.#settlesAt = settlesAt;
  }

  /** What a read at some time shows; `chance` is from 0 up to 1. */
  read(now: number, chance: number): T {
    return now < this.#settlesAt && chance < 0.5 ? this.#before : this.#value;
  }
}
