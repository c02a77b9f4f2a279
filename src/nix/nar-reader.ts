import { UserError } from '../core/error.ts';

/** A NAR that is none, with what is wrong about it. */
export const badNar = (why: string): UserError =>
  new UserError('digest', `not a NAR archive: ${why}`, {
    hint: 'The store or cache that sent it is damaged, or another program answers in its place.',
  });

/** A piece of reading that stops where bytes are missing and continues when there are more. */
export type Reading<T> = Generator<void, T, void>;

/** Every string is padded with zeros to a multiple of this. */
const ALIGNMENT = 8;

const LENGTH_BYTES = 8;

/**
 * Takes strings off a NAR as its bytes come: a length (64 bits, little endian), the bytes, zeros up to a multiple of
 * eight. Holds no more than one short string and one chunk. Throws UserError `digest` on anything else.
 */
export class NarReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Adds bytes; they must stay as they are until the reading has stopped again. */
  add(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
  }

  /** Lets go of the last chunk, which belongs to whoever added it. */
  keepRest(): void {
    this.#rest = Buffer.from(this.#rest);
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0;
  }

  /** The next string, which may have `limit` bytes. To be used before the next is read. */
  *string(limit: number, what: string): Reading<Buffer> {
    const length = yield* this.#length();
    if (length > limit) throw badNar(`${what} of ${length} bytes, where ${limit} are the most`);
    const text = yield* this.#take(length + paddingOf(length));
    checkPadding(text.subarray(length));
    return text.subarray(0, length);
  }

  /** The next string in pieces, however long it is. */
  *contents(write: (piece: Uint8Array) => void): Reading<void> {
    const length = yield* this.#length();
    for (let left = length; left > 0; ) {
      if (this.isEmpty) yield;
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      if (piece.length > 0) write(piece);
      left -= piece.length;
    }
    checkPadding(yield* this.#take(paddingOf(length)));
  }

  *#length(): Reading<number> {
    const length = (yield* this.#take(LENGTH_BYTES)).readBigUInt64LE();
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw badNar(`a string of ${length} bytes`);
    return Number(length);
  }

  *#take(count: number): Reading<Buffer> {
    while (this.#rest.length < count) yield;
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }
}

const paddingOf = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

function checkPadding(padding: Buffer): void {
  if (padding.some((byte) => byte !== 0)) throw badNar('its padding is not zero');
}
