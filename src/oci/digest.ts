import { createHash, type Hash } from 'node:crypto';

declare const brand: unique symbol;

/** `sha256:` and 64 hexadecimal digits: the only algorithm that every registry knows. */
export type Digest = string & { readonly [brand]: 'Digest' };

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: string): text is Digest => DIGEST.test(text);

/** Ends a SHA-256 hash. */
export const endDigest = (hash: Hash): Digest => `sha256:${hash.digest('hex')}` as Digest;

export const digestOf = (bytes: Uint8Array): Digest => endDigest(createHash('sha256').update(bytes));

/** The hexadecimal part, as layouts name their blobs. */
export const digestHex = (digest: Digest): string => digest.slice('sha256:'.length);

/** Hexadecimal digits of a short digest: as many as `docker images` shows, which tell all blobs of a registry apart. */
const SHORT_DIGITS = 12;

/** `sha256:0123456789ab`, for tables; the full one is shown where it is to be copied. */
export const shortDigest = (digest: string): string =>
  isDigest(digest) ? digest.slice(0, 'sha256:'.length + SHORT_DIGITS) : digest;
