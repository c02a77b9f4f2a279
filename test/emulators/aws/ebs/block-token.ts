import { createHash } from 'node:crypto';

/** Seven days. */
const BLOCK_LIFETIME = 7 * 24 * 60 * 60 * 1000;

const hashOf = (what: string): string => createHash('sha256').update(what).digest('base64');

const encode = (hash: string, at: number): string => Buffer.from(`${hash} ${at}`).toString('base64');

/** What a block of a snapshot is read by; it ends after seven days. */
export const tokenOf = (snapshot: string, index: number, now: number): string =>
  encode(hashOf(`${snapshot} ${index}`), now);

/** What is wrong with a token, by one for the same that was made now; undefined for nothing. */
export function tokenError(token: string, good: string, now: number): string | undefined {
  const [hash, at = ''] = Buffer.from(token, 'base64').toString().split(' ');
  const [wanted] = Buffer.from(good, 'base64').toString().split(' ');
  if (hash !== wanted) return 'The block token is not of this block.';
  return now > Number(at) + BLOCK_LIFETIME ? 'The block token has expired.' : undefined;
}

/** An hour. */
const PAGE_LIFETIME = 60 * 60 * 1000;

/** What a list goes on by: where, and of which list, for it is good for no other. */
export const pageToken = (list: string, start: number, now: number): string =>
  Buffer.from(JSON.stringify([hashOf(list).slice(0, 20), start, now])).toString('base64');

/** Where a list goes on, and undefined where a token is not of this list or has ended. */
export function readPageToken(token: string, list: string, now: number): number | undefined {
  try {
    const [hash, start, at] = JSON.parse(Buffer.from(token, 'base64').toString()) as [string, number, number];
    return hash === hashOf(list).slice(0, 20) && now <= at + PAGE_LIFETIME ? start : undefined;
  } catch {
    return undefined;
  }
}
