import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether a request with that `Authorization` header may read. */
export type MayRead = (authorization: string | undefined) => boolean;

/** Everybody: for the loopback address. */
export const EVERYBODY: MayRead = () => true;

/** Who is asked for a login sends it by Basic: every client can, and none has to ask another server for a token first. */
export const CHALLENGE = 'Basic realm="nix-images"';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Who sends `token`: as a Bearer token, or as the password of any user, as clients do after a login. */
export function whoHas(token: string): MayRead {
  const expected = hash(token);
  return (authorization = '') => {
    const [, scheme = '', value = ''] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
    // Compared in a time that says nothing of the token.
    return timingSafeEqual(hash(given(scheme.toLowerCase(), value)), expected);
  };
}

function given(scheme: string, value: string): string {
  if (scheme === 'bearer') return value;
  if (scheme !== 'basic') return '';
  const login = Buffer.from(value, 'base64').toString('utf8');
  const at = login.indexOf(':');
  return at < 0 ? '' : login.slice(at + 1);
}
