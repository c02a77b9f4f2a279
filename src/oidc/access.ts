/** A token that a registry takes as a password, and when it ends, in milliseconds since 1970. */
export interface Access {
  readonly token: string;
  readonly expires: number;
}

/** Exchanges tokens (RFC 8693, 2.1). */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** Characters of an answer that are shown. */
const SHOWN = 500;

/** What a service said, for people; it may be a page of HTML. */
export const shownAnswer = ({ status, text }: { readonly status: number; readonly text: string }): string =>
  `${status} ${text.replace(/\s+/g, ' ').trim().slice(0, SHOWN)}`.trim();
