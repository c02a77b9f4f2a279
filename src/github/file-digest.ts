import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../oci/digest.ts';
import { digestSchema } from '../oci/digest-schema.ts';

/** sha256 of a file, read in pieces. Rejects when it cannot be read or the signal fires. */
export async function digestOfFile(file: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash, { signal });
  return digestSchema.parse(`sha256:${hash.digest('hex')}`);
}
