import { randomBytes } from 'node:crypto';
import type { Exchanges, Reply } from './exchanges.ts';
import type { Issuer } from './issuer.ts';

export interface DockerHubOptions {
  readonly connection: string;
  readonly organization: string;
  /** Whom the rulesets of the connection let in. */
  readonly allows?: (subject: string) => boolean;
  /** Answers so many requests with 429 and `Retry-After: 0` first. */
  readonly limited?: number;
}

const AUDIENCE = 'https://identity.docker.com';

const WANTED = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
};

const refused = (status: number, error: string, description: string): Reply => ({
  status,
  body: { error, error_description: description },
});

/** Docker's service that exchanges ID tokens for OIDC connections; see README.md. */
export const dockerHubExchanges = (
  issuer: Issuer,
  { connection, organization, allows = () => true, limited = 0 }: DockerHubOptions,
): Exchanges => {
  const good = new Set<string>();
  let busy = limited;
  const exchange = (form: URLSearchParams): Reply => {
    const wrong = Object.entries(WANTED).find(([name, value]) => form.get(name) !== value);
    const seconds = Number(form.get('expires_in') ?? 300);
    if (wrong) return refused(400, 'invalid_request', `${wrong[0]} is not ${wrong[1]}`);
    if (!(seconds >= 300 && seconds <= 3600)) return refused(400, 'invalid_request', 'expires_in is out of range');
    const claims = issuer.verify(form.get('subject_token') ?? '');
    if (claims?.aud !== AUDIENCE) return refused(401, 'invalid_grant', 'the subject token is not valid');
    if (form.get('connection_id') !== connection || !allows(claims.sub)) {
      return refused(403, 'access_denied', 'no ruleset of the connection allows this subject');
    }
    const token = `dckr_oidc_${randomBytes(30).toString('base64url')}`;
    good.add(token);
    return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: seconds } };
  };
  return {
    isGood: (username, password) => username === organization && good.has(password),
    issued: () => good.size,
    answer: ({ method, host, path, headers, body }) => {
      if (method !== 'POST' || host !== 'identity.docker.com' || path !== '/oauth/token') return undefined;
      if (headers['content-type'] !== 'application/x-www-form-urlencoded')
        return refused(415, 'invalid_request', 'type');
      if (busy > 0) {
        busy -= 1;
        return { ...refused(429, 'slow_down', 'too many requests'), headers: { 'retry-after': '0' } };
      }
      return exchange(new URLSearchParams(body));
    },
  };
};
