import { readSync } from 'node:fs';

/** Milliseconds between two tries where standard input does not wait by itself. */
const PAUSE = 5;

const pause = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);

function read(into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(0, into);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      pause();
    }
  }
}

/** Lines of this process's standard input, for one that does nothing else while it waits for one. */
export class InputLines {
  readonly #chunk = new Uint8Array(4096);
  #rest = '';

  /** The next line, without its end; undefined when there is no other. */
  next(): string | undefined {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const size = read(this.#chunk);
      if (size === 0) return undefined;
      this.#rest += Buffer.from(this.#chunk.subarray(0, size)).toString('latin1');
    }
  }
}
