/** The largest block of a zstd frame (RFC 8878, section 3.1.1.2.4), and so how many zeros four bytes can stand for. */
const BLOCK = 128 * 1024;

/** Zeros of a frame at most: its blocks take 32 KiB. */
const MOST = 1024 ** 3;

/** Magic number; an 8-byte content size and no checksum; a window of 128 KiB, so that any reader has the memory. */
const HEADER = Buffer.from('28b52ffdc038', 'hex');

function blockHeader(type: 'raw' | 'rle', size: number, isLast: boolean): Buffer {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntLE((size << 3) | (type === 'rle' ? 2 : 0) | (isLast ? 1 : 0), 0, 3);
  return bytes;
}

const ZERO = Buffer.alloc(1);

/** One frame of `length` zeros, from 1 to `MOST`. */
function zeroFrame(length: number): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length));
  // The first block is a byte as it is: zstd up to 1.4.3 refuses a frame that begins with a block of one repeated byte.
  const parts = [HEADER, size, blockHeader('raw', 1, length === 1), ZERO];
  for (let left = length - 1; left > 0; left -= BLOCK) {
    parts.push(blockHeader('rle', Math.min(left, BLOCK), left <= BLOCK), ZERO);
  }
  return Buffer.concat(parts);
}

/** Bytes of a frame of `length` zeros: its header, the first block, and four for each that follows. */
const frameSize = (length: number): number => HEADER.length + 8 + 4 + 4 * Math.ceil((length - 1) / BLOCK);

/** Bytes of `zeroFrames(length)`. */
export const zeroFramesSize = (length: number): number =>
  Math.floor(length / MOST) * frameSize(MOST) + (length % MOST === 0 ? 0 : frameSize(length % MOST));

/** zstd frames that unpack to `length` zeros, made without compressing any: 32 KiB stand for a GiB. */
export function* zeroFrames(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= MOST) yield zeroFrame(Math.min(left, MOST));
}
