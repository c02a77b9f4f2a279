import { z } from 'zod';
import { type Digest, isDigest } from './digest.ts';

/** Accepts a digest at an edge: a manifest, a header, a reference. */
export const digestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), {
  message: 'expected sha256: and 64 hexadecimal digits',
});
