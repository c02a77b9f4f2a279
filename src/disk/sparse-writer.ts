import { type TableFile, writeFully } from './gpt.ts';

/** Bytes that are looked at for zeros at once: a page of file systems, which have no smaller holes. */
const PAGE = 4096;

const ZEROS = Buffer.alloc(PAGE);

/** Writes a stream of bytes into a file of holes, from one place on, and leaves out pages of zeros. */
export class SparseWriter {
  readonly #file: TableFile;
  #position: number;
  #written = 0;

  /** `file` must have nothing but a hole where this writes; `position` in bytes. */
  constructor(file: TableFile, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** Where the next bytes go. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that were not left out. */
  get written(): number {
    return this.#written;
  }

  /** Takes the next bytes; they may be used again when it resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let from: number | undefined;
    for (let at = 0; at < all.length; ) {
      // Up to the next page of the file, wherever chunks end.
      const end = Math.min(all.length, at + PAGE - ((this.#position + at) % PAGE));
      const isZero = ZEROS.compare(all, at, end, 0, end - at) === 0;
      if (isZero && from !== undefined) await this.#put(all.subarray(from, at), from);
      if (isZero) from = undefined;
      else from ??= at;
      at = end;
    }
    if (from !== undefined) await this.#put(all.subarray(from), from);
    this.#position += all.length;
  }

  async #put(bytes: Buffer, at: number): Promise<void> {
    await writeFully(this.#file, bytes, this.#position + at);
    this.#written += bytes.length;
  }
}
