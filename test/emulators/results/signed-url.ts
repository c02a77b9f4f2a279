import { createHmac, randomBytes } from 'node:crypto';

/** What a signed URL allows: to create and write, or to read. */
export type Permission = 'cw' | 'r';

export interface SignedUrlOptions {
  readonly permission: Permission;
  readonly expires: Date;
  /** Sent with the blob as Content-Disposition. */
  readonly disposition?: string;
}

/** As seen on GitHub (tonistiigi/go-actions-cache 40): longer than any one transfer in a test. */
export const URL_LIFETIME_MS = 10 * 60 * 1000;

/**
 * Signs URLs as Azure's shared access signatures do (service SAS: sv, se, sr, sp, rscd, sig). What is signed is
 * not Azure's exact text, for nobody but this class checks it.
 */
export class UrlSigner {
  readonly #key = randomBytes(32);

  sign(origin: string, path: string, { permission, expires, disposition }: SignedUrlOptions): string {
    const url = new URL(path, origin);
    url.searchParams.set('sv', '2025-11-05');
    url.searchParams.set('se', expires.toISOString());
    url.searchParams.set('sr', 'b');
    url.searchParams.set('sp', permission);
    if (disposition !== undefined) url.searchParams.set('rscd', disposition);
    url.searchParams.set('sig', this.#signature(url));
    return url.href;
  }

  /** Why `url` may not be used for `permission`; undefined when it may. */
  refusal(url: URL, permission: Permission, now: Date): string | undefined {
    // The storage client drops the padding of `sig` when it adds its own parameters; Azure does not mind either.
    const given = (url.searchParams.get('sig') ?? '').replace(/=+$/, '');
    if (given !== this.#signature(url).replace(/=+$/, '')) return 'Signature did not match.';
    if (!(Date.parse(url.searchParams.get('se') ?? '') > now.getTime()))
      return 'Signature not valid in the time frame.';
    if (url.searchParams.get('sp') !== permission) return 'The signature does not permit this operation.';
    return undefined;
  }

  #signature(url: URL): string {
    const signed = ['sv', 'se', 'sr', 'sp', 'rscd'].map((name) => url.searchParams.get(name) ?? '');
    return createHmac('sha256', this.#key)
      .update([url.pathname, ...signed].join('\n'))
      .digest('base64');
  }
}
