import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Exchanges, Reply } from './exchanges.ts';
import type { Issuer } from './issuer.ts';

export interface GoogleOptions {
  /** The name of the provider that exists. */
  readonly provider: string;
  /** Whom the attribute condition of the provider lets in. */
  readonly allows?: (subject: string) => boolean;
  /** Audiences that the provider was told to take, in place of its own name. */
  readonly audiences?: readonly string[];
  /** Who may act as a service account, by its address. */
  readonly accounts?: Readonly<Record<string, (subject: string) => boolean>>;
  /** Whether the API of IAM's credentials is switched off in the project. */
  readonly isDisabled?: boolean;
}

const exchangeSchema = z.strictObject({
  audience: z.string(),
  grantType: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  requestedTokenType: z.literal('urn:ietf:params:oauth:token-type:access_token'),
  scope: z.literal('https://www.googleapis.com/auth/cloud-platform'),
  subjectTokenType: z.literal('urn:ietf:params:oauth:token-type:jwt'),
  subjectToken: z.string(),
});

const generateSchema = z.strictObject({
  scope: z.array(z.string()).min(1),
  lifetime: z.string().regex(/^\d+s$/),
});

/** The project, where a pool is: a number, never the project's name. */
const PROVIDER =
  /^\/\/iam\.googleapis\.com\/(projects\/\d+\/locations\/global\/workloadIdentityPools\/[^/]+\/providers\/[^/]+)$/;

const oauth = (error: string, description: string): Reply => ({
  status: error === 'unauthorized_client' ? 401 : 400,
  body: { error, error_description: description },
});

const denied = (message: string, reason: string): Reply => ({
  status: 403,
  body: {
    error: { code: 403, message, status: 'PERMISSION_DENIED', details: [{ reason, domain: 'iam.googleapis.com' }] },
  },
});

/** Google's Security Token Service and IAM's service of credentials, as far as logins ask them; see README.md. */
export const googleExchanges = (issuer: Issuer, options: GoogleOptions): Exchanges => {
  const {
    provider,
    allows = () => true,
    audiences = [`https://iam.googleapis.com/${provider}`, `//iam.googleapis.com/${provider}`],
    accounts = {},
    isDisabled = false,
  } = options;
  /** Whom a federated token names. */
  const federated = new Map<string, string>();
  const good = new Set<string>();
  const issue = (): string => {
    const token = `ya29.${randomBytes(60).toString('base64url')}`;
    good.add(token);
    return token;
  };
  const exchange = (body: string): Reply => {
    const asked = exchangeSchema.safeParse(JSON.parse(body));
    if (!asked.success) return oauth('invalid_request', z.prettifyError(asked.error));
    const named = PROVIDER.exec(asked.data.audience)?.[1];
    if (named === undefined)
      return oauth(
        'invalid_request',
        'Invalid value for "audience". This value should be the full resource name of the Identity Provider.',
      );
    if (named !== provider) {
      return oauth(
        'invalid_target',
        'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn\'t exist.',
      );
    }
    const claims = issuer.verify(asked.data.subjectToken);
    if (claims === undefined) return oauth('invalid_grant', 'Unable to verify the ID Token signature.');
    if (!audiences.includes(claims.aud)) {
      return oauth('invalid_grant', `The audience in ID Token [${claims.aud}] does not match the expected audience.`);
    }
    if (!allows(claims.sub))
      return oauth('unauthorized_client', 'The given credential is rejected by the attribute condition.');
    const token = issue();
    federated.set(token, claims.sub);
    return {
      status: 200,
      body: {
        access_token: token,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: 3599,
      },
    };
  };
  const generate = (account: string, authorization: string | undefined, body: string): Reply => {
    const subject = federated.get(authorization?.replace(/^Bearer /, '') ?? '');
    if (subject === undefined) {
      return {
        status: 401,
        body: {
          error: { code: 401, message: 'Request had invalid authentication credentials.', status: 'UNAUTHENTICATED' },
        },
      };
    }
    if (!generateSchema.safeParse(JSON.parse(body)).success) {
      return {
        status: 400,
        body: { error: { code: 400, message: 'Request contains an invalid argument.', status: 'INVALID_ARGUMENT' } },
      };
    }
    if (isDisabled) {
      return denied(
        'IAM Service Account Credentials API has not been used in project 123456789 before or it is disabled.',
        'SERVICE_DISABLED',
      );
    }
    if (!accounts[account]?.(subject)) {
      return denied(
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        'IAM_PERMISSION_DENIED',
      );
    }
    return { status: 200, body: { accessToken: issue(), expireTime: new Date(Date.now() + 3_600_000).toISOString() } };
  };
  return {
    isGood: (username, password) => username === 'oauth2accesstoken' && good.has(password),
    issued: () => good.size,
    answer: ({ method, host, path, headers, body }) => {
      const account = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(path)?.[1];
      if (method !== 'POST' || headers['content-type'] !== 'application/json') return undefined;
      if (host === 'sts.googleapis.com' && path === '/v1/token') return exchange(body);
      if (host === 'iamcredentials.googleapis.com' && account) return generate(account, headers.authorization, body);
      return undefined;
    },
  };
};
