// What a buffer starts with; small layers and configs never need more.
const FIRST_SIZE = 64 * 1024;

/** Gathers bytes up to a capacity; its memory grows with what it holds. */
export class ChunkBuffer {
  readonly capacity: number;
  #memory: Buffer;
  #length = 0;

  /** `reserved` bytes are taken at once: all of them where it is known that the buffer will fill. */
  constructor(capacity: number, reserved: number = FIRST_SIZE) {
    this.capacity = capacity;
    this.#memory = Buffer.allocUnsafe(Math.min(reserved, capacity));
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.capacity;
  }

  /** Copies as much of `chunk` as there is room for and returns how much that was, in bytes. */
  append(chunk: Uint8Array): number {
    const taken = Math.min(chunk.length, this.capacity - this.#length);
    this.#reserve(this.#length + taken);
    this.#memory.set(chunk.subarray(0, taken), this.#length);
    this.#length += taken;
    return taken;
  }

  /** What was gathered: a view, valid until `clear`. */
  bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #reserve(size: number): void {
    if (size <= this.#memory.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.capacity, Math.max(size, this.#memory.length * 2)));
    this.#memory.copy(grown, 0, 0, this.#length);
    this.#memory = grown;
  }
}
