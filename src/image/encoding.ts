import { Buffer } from 'node:buffer';
import { UserError } from '../core/error.ts';
import { decodeHeader } from '../tar/header.ts';
import type { Encoding } from './layer.ts';

/** First bytes of packed files, in hexadecimal; only those with an encoding may stand in an image. */
const MAGIC: readonly { readonly magic: string; readonly name: string; readonly encoding?: Encoding }[] = [
  { magic: '1f8b', name: 'gzip', encoding: 'gzip' },
  { magic: '28b52ffd', name: 'zstd', encoding: 'zstd' },
  { magic: 'fd377a585a00', name: 'xz' },
  { magic: '425a68', name: 'bzip2' },
];

/** Bytes of a tar header, enough for every magic number. */
const HEAD = 512;

const head = async (bytes: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  let start = Buffer.alloc(0);
  for await (const chunk of bytes) {
    start = Buffer.concat([start, chunk.subarray(0, HEAD)]);
    if (start.length >= HEAD) break;
  }
  return start.subarray(0, HEAD);
};

const isTar = (start: Buffer): boolean => {
  if (start.length < HEAD) return false;
  try {
    decodeHeader(start);
    return true;
  } catch {
    return false;
  }
};

/**
 * How a layer is packed, told by its first bytes: labels have been found to be wrong. `label` names it in messages. Throws
 * UserError `file` for what is no layer.
 */
export const encodingOf = async (label: string, bytes: AsyncIterable<Uint8Array>): Promise<Encoding> => {
  const start = await head(bytes);
  const found = MAGIC.find(({ magic }) => start.toString('hex').startsWith(magic));
  if (found?.encoding) return found.encoding;
  if (!found && isTar(start)) return 'tar';
  throw new UserError('file', `${label} is ${found ? `packed with ${found.name}` : 'no tar'}, not a layer`, {
    hint: 'A layer is a tar, plain or packed with gzip or zstd.',
  });
};
