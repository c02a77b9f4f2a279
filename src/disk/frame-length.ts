/** zstd's frames (RFC 8878, section 3.1.1). Numbers are little-endian. */
const MAGIC = 0xfd2f_b528;
const BLOCK_HEADER_BYTES = 3;
const RLE = 1;

/** Bytes of the fields that a frame's descriptor announces: its content's size, and the dictionary's number. */
const SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];

/**
 * Bytes of the zstd frame that `bytes` begin with, whatever follows it: Node's reader would take what follows for another frame.
 * Undefined where no whole frame is there.
 */
export function zstdFrameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== MAGIC) return undefined;
  const descriptor = bytes[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = isSingleSegment && descriptor < 0x40 ? 1 : (SIZE_BYTES[descriptor >> 6] ?? 0);
  let at = 5 + (isSingleSegment ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + BLOCK_HEADER_BYTES > bytes.length) return undefined;
    const header = bytes.readUIntLE(at, BLOCK_HEADER_BYTES);
    isLast = (header & 1) === 1;
    at += BLOCK_HEADER_BYTES + (((header >> 1) & 3) === RLE ? 1 : header >> 3);
  }
  const end = at + ((descriptor & 4) === 0 ? 0 : 4);
  return end <= bytes.length ? end : undefined;
}
