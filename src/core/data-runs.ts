/** Bytes that are looked at for zeros at once: a block of the file systems that have holes, none of which is smaller. */
const BLOCK = 4096;

const ZEROS = Buffer.alloc(BLOCK);

/** A part of a buffer, from byte `from` up to `to`. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/**
 * The parts of `bytes` that are not all zeros, ascending and apart, in whole blocks of the file that they are for; `position` is where in it
 * they begin. What is between them may stay a hole.
 */
export function* dataRuns(bytes: Uint8Array, position: number): Generator<Run> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let from: number | undefined;
  for (let at = 0; at < all.length; ) {
    const to = Math.min(all.length, at + BLOCK - ((position + at) % BLOCK));
    const isZero = ZEROS.compare(all, at, to, 0, to - at) === 0;
    if (isZero && from !== undefined) yield { from, to: at };
    if (isZero) from = undefined;
    else from ??= at;
    at = to;
  }
  if (from !== undefined) yield { from, to: all.length };
}
