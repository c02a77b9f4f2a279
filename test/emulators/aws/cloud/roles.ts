import type { Claims } from '../../oidc/issuer.ts';
import type { Identity } from './identities.ts';

/** A role that can be assumed. */
export interface CloudRole {
  /** Whom its trust policy lets in: another identity, by its ARN. */
  readonly trusts?: (who: Identity) => boolean;
  /** Whom it lets in with an ID token. */
  readonly trustsToken?: (claims: Claims) => boolean;
  /** Seconds that a session may have. Default: 3600. */
  readonly longest?: number;
  /** Actions that its sessions may not do. */
  readonly denied?: readonly string[];
}
