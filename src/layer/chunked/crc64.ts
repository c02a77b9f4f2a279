/**
 * CRC-64 of ISO 3309 (x^64 + x^4 + x^3 + x + 1, reflected), which tar-split keeps of each file. Its polynomial is so sparse that a word is
 * reduced by four shifts, without a table.
 */
export class Crc64 {
  #low = -1;
  #high = -1;

  update(bytes: Uint8Array): this {
    // Words lie at multiples of four.
    const first = Math.min(bytes.length, (4 - (bytes.byteOffset % 4)) % 4);
    this.#bytes(bytes, 0, first);
    const count = (bytes.length - first) >>> 2;
    if (count > 0) this.#words(new Int32Array(bytes.buffer, bytes.byteOffset + first, count));
    this.#bytes(bytes, first + count * 4, bytes.length);
    return this;
  }

  /** The eight bytes of the sum, the highest first. */
  digest(): Buffer {
    const sum = Buffer.alloc(8);
    sum.writeInt32BE(~this.#high, 0);
    sum.writeInt32BE(~this.#low, 4);
    return sum;
  }

  /** Words are little-endian, as on all systems there are images for. */
  #words(words: Int32Array): void {
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < words.length; at += 1) {
      const term = low ^ (words[at] as number);
      low = high ^ (term << 31) ^ (term << 29) ^ (term << 28);
      high = term ^ (term >>> 1) ^ (term >>> 3) ^ (term >>> 4);
    }
    this.#low = low;
    this.#high = high;
  }

  #bytes(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at += 1) {
      const term = ((this.#low ^ (bytes[at] as number)) & 0xff) << 24;
      this.#low = (this.#low >>> 8) | (this.#high << 24);
      this.#high = (this.#high >>> 8) ^ term ^ (term >>> 1) ^ (term >>> 3) ^ (term >>> 4);
    }
  }
}
