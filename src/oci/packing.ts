/** What a stream of bytes is packed with. */
export type Packing = 'gzip' | 'zstd';

/** First bytes of packed files, in hexadecimal: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1. */
const MAGIC: Readonly<Record<string, Packing>> = { '1f8b': 'gzip', '28b52ffd': 'zstd' };

/** Bytes at the beginning of a stream that tell what it is packed with. */
export const MAGIC_BYTES = 4;

/** What a stream is packed with, by its first bytes; undefined for anything else, a plain tar too. */
export function packingOf(start: Uint8Array): Packing | undefined {
  const hex = Buffer.from(start.subarray(0, MAGIC_BYTES)).toString('hex');
  return Object.entries(MAGIC).find(([magic]) => hex.startsWith(magic))?.[1];
}
