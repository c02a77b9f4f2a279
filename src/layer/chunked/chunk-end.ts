import { createHash } from 'node:crypto';

const KIB = 1024;

/**
 * Bytes of a chunk. A file up to `whole` is never cut, nor is a rest of that size: most files are smaller, and two rows for them would cost more than a
 * client saves. Cuts follow content, so that what is inserted into a file moves no cut behind it; up to `least` none is looked for, which saves two
 * thirds of the time.
 */
export const CHUNK = { least: 128 * KIB, whole: 256 * KIB, most: 512 * KIB } as const;

/** One place in so many is a cut: behind `least`, chunks are 64 KiB longer on average. Frames of half that size make a library 4 % larger. */
const ONE_IN_BITS = 16;

/** A number for each byte, the same on every machine: nothing else is asked of them. */
const GEAR = numbers();

function numbers(): Int32Array {
  const random = createHash('shake256', { outputLength: 256 * 4 })
    .update('cuts')
    .digest();
  return Int32Array.from({ length: 256 }, (_, byte) => random.readInt32LE(byte * 4));
}

/**
 * Where the chunk ends that begins with `bytes`, as a count of them; 0 where more bytes have to be seen. `left` is how many bytes the file has from there on.
 */
export function chunkEnd(bytes: Uint8Array, left: number): number {
  if (left <= CHUNK.whole) return bytes.length >= left ? left : 0;
  const limit = Math.min(bytes.length, CHUNK.most);
  let hash = 0;
  // The last 32 bytes decide, for older ones have left the sum.
  for (let at = CHUNK.least; at < limit; at += 1) {
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
    if (hash >>> (32 - ONE_IN_BITS) === 0) return at + 1;
  }
  return limit === CHUNK.most || limit === left ? limit : 0;
}
