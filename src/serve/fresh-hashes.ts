import type { Clock } from '../core/retry.ts';
import type { Digest } from '../oci/digest.ts';

/** What trees looked like when this process hashed them, so that they need not be hashed again while they are sent. */
export interface FreshHashes {
  /** The print of a tree that had this digest a short while ago; see `treePrint`. */
  find(digest: Digest): string | undefined;
  keep(digest: Digest, print: string): void;
}

/**
 * Milliseconds after which a layer is hashed again while it is sent: what a disk lost without a write changes no print. Long enough for the
 * pulls that follow when an image was made.
 */
const FRESH = 10 * 60_000;

/** Knows nothing yet. */
export function freshHashes({ now }: Pick<Clock, 'now'>): FreshHashes {
  const found = new Map<Digest, { readonly print: string; readonly until: number }>();
  return {
    find: (digest) => {
      const known = found.get(digest);
      if (known === undefined || known.until > now()) return known?.print;
      found.delete(digest);
      return undefined;
    },
    keep: (digest, print) => void found.set(digest, { print, until: now() + FRESH }),
  };
}
