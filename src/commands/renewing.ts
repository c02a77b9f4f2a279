import type { Credential } from '../storage/registry/auth/credential.ts';

/**
 * Logs in to each host once, and again where what was found has ended. Repositories of a host share what is found, so the
 * first of them to see the end renews it for all.
 */
export function renewing(
  logIn: (host: string) => Promise<Credential>,
): (host: string, ended?: Credential) => Promise<Credential> {
  const found = new Map<string, Promise<Credential>>();
  const again = (host: string): Promise<Credential> => {
    const asked = logIn(host);
    found.set(host, asked);
    return asked;
  };
  return async (host, ended) => {
    const kept = found.get(host) ?? again(host);
    const credential = await kept;
    if (credential !== ended) return credential;
    return found.get(host) === kept ? again(host) : (found.get(host) ?? credential);
  };
}
