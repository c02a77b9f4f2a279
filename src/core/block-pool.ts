/** Buffers of one size that are used again: a layer goes through a handful of them, whatever its size. */
export class BlockPool {
  /** Bytes of each. */
  readonly size: number;
  readonly #free: Buffer[] = [];

  /** `size` in bytes. */
  constructor(size: number) {
    this.size = size;
  }

  /** A buffer of the pool's size, with whatever was in it. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  /** Takes a buffer back that nobody looks at any more, or the part of it that was used; others are left alone. */
  give(block: Uint8Array): void {
    const { buffer } = block;
    if (buffer instanceof ArrayBuffer && buffer.byteLength === this.size) this.#free.push(Buffer.from(buffer));
  }

  /** Frees at once what is not in use, but for `count` buffers. */
  shrink(count: number): void {
    for (const { buffer } of this.#free.splice(count)) (buffer as ArrayBuffer).transfer(0);
  }
}
