import type { Buffer } from 'node:buffer';
import { UserError } from '../core/error.ts';
import { firstBytes } from '../core/stream.ts';
import { packingOf } from '../oci/packing.ts';
import { BLOCK, decodeHeader } from '../tar/header.ts';
import type { Encoding } from './layer.ts';

/** First bytes, in hexadecimal, of what layers must not be packed with, for messages. */
const REFUSED: Readonly<Record<string, string>> = { fd377a585a00: 'xz', '425a68': 'bzip2' };

/** Bytes that tell: those of a tar header, enough for every magic number. */
const HEAD = BLOCK;

function isTar(start: Buffer): boolean {
  if (start.length < HEAD) return false;
  try {
    decodeHeader(start);
    return true;
  } catch {
    return false;
  }
}

/**
 * How a layer is packed, told by its first bytes: labels have been found to be wrong. `label` names it in messages. Throws
 * UserError `file` for what is not a layer.
 */
export async function encodingOf(label: string, bytes: AsyncIterable<Uint8Array>): Promise<Encoding> {
  const start = await firstBytes(bytes, HEAD);
  const packing = packingOf(start);
  if (packing) return packing;
  const refused = Object.entries(REFUSED).find(([magic]) => start.toString('hex').startsWith(magic))?.[1];
  if (!refused && isTar(start)) return 'tar';
  throw new UserError('file', `${label} is ${refused ? `packed with ${refused}` : 'no tar'}, not a layer`, {
    hint: 'A layer is a tar, plain or packed with gzip or zstd.',
  });
}
