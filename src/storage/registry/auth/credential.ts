import type { Log } from '../../../core/log.ts';

/** What is presented to one registry. `origin` says in words where it came from; it never holds a secret. */
export type Credential =
  /** `hint` is what to do where that is not enough, and the keychain knows better than the registry's answer. */
  | { readonly kind: 'anonymous'; readonly origin: string; readonly hint?: string | undefined }
  /** `expires` is in milliseconds since 1970, for one that ends and that the keychain can renew. */
  | {
      readonly kind: 'basic';
      readonly username: string;
      readonly password: string;
      readonly origin: string;
      readonly expires?: number | undefined;
    }
  /** An OAuth2 refresh token that is exchanged for access tokens (distribution-spec's `auth/oauth`). */
  | { readonly kind: 'identity'; readonly token: string; readonly origin: string }
  /** A token that goes to the registry as it is. */
  | { readonly kind: 'bearer'; readonly token: string; readonly origin: string };

/** What was presented so far, for errors. */
export interface Tried {
  /** In words, without a secret. */
  readonly origin: string;
  readonly hint?: string | undefined;
}

export const ANONYMOUS: Credential = { kind: 'anonymous', origin: 'none: no login for this registry was found' };

/** Where credentials come from. */
export interface Keychain {
  /**
   * The credential for `host` (as in a reference) and `repository`; another one than `ended`, which was found before and is
   * no good any more. Throws UserError `credentials`.
   */
  find(host: string, repository: string, ended?: Credential): Promise<Credential>;
}

/** `Basic <base64>`; the encoded form is masked too, since it is as good as the password. */
export function encodeBasic(username: string, password: string, log: Pick<Log, 'mask'>): string {
  const encoded = Buffer.from(`${username}:${password}`).toString('base64');
  log.mask(encoded);
  return `Basic ${encoded}`;
}

/** @internal A keychain that knows nothing: for registries that are open. */
export const anonymousKeychain: Keychain = { find: async () => ANONYMOUS };
