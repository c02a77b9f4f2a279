import { createSign, createVerify, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { z } from 'zod';
import { listenOnLoopback } from '../../support/tools.ts';

export interface IssuerOptions {
  /** Whom tokens name. Default: a push to main of the tests' repository, with ids as GitHub writes them since 2026. */
  readonly subject?: string;
  /** Answers so many requests with 503 first. */
  readonly unavailable?: number;
  /** Refuses every request with this status. */
  readonly refuses?: number;
  /** What stands in the answer in place of a token. */
  readonly value?: string;
}

export const ISSUER = 'https://token.actions.githubusercontent.com';
export const SUBJECT = 'repo:org@1001/consumer@2002:ref:refs/heads/main';

/** GitHub's tokens live for five minutes. */
const LIFETIME = 300;

const claimsSchema = z.object({ iss: z.string(), sub: z.string(), aud: z.string(), exp: z.number() });

/** What a token says, once it is known to be the issuer's. */
export type Claims = z.infer<typeof claimsSchema>;

export interface Issuer {
  /** What the runner sets in a step whose job has `id-token: write`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Audiences of the tokens that were given out. */
  readonly audiences: readonly string[];
  /** All tokens that were given out. */
  readonly tokens: readonly string[];
  /** The claims of a token of this issuer's that has not ended, as a relying party reads them; undefined for any other. */
  verify(token: string): Claims | undefined;
  /** The same for a token that some issuer of another key gave out: never good. */
  forge(audience: string): string;
  stop(): Promise<void>;
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

/** GitHub's issuer of ID tokens, in-process: what a runner's step asks, and what others check tokens by. See README.md. */
export const startIssuer = async ({
  subject = SUBJECT,
  unavailable = 0,
  refuses,
  value,
}: IssuerOptions = {}): Promise<Issuer> => {
  const [own, stranger] = [newKey(), newKey()];
  const secret = randomBytes(24).toString('base64url');
  const audiences: string[] = [];
  const tokens: string[] = [];
  let busy = unavailable;

  const sign = (audience: string, key: typeof own.privateKey): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: ISSUER, sub: subject, aud: audience, nbf: now - 10, iat: now, exp: now + LIFETIME };
    const signed = `${encode({ typ: 'JWT', alg: 'RS256', kid: 'emulated' })}.${encode({ ...claims, jti: randomUUID() })}`;
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`;
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const reply = (status: number, content: object): void => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(content));
    };
    if (busy > 0) {
      busy -= 1;
      return reply(503, { message: 'Service Unavailable' });
    }
    if (refuses !== undefined) return reply(refuses, { message: 'the job does not run any more' });
    if (request.headers.authorization !== `Bearer ${secret}`) return reply(401, { message: 'Unauthorized' });
    if (request.method !== 'GET' || url.pathname !== '/idtoken' || url.searchParams.get('api-version') !== '2.0') {
      return reply(404, { message: 'Not Found' });
    }
    // Without one, GitHub's is the address of the repository's owner.
    const audience = url.searchParams.get('audience') ?? 'https://github.com/org';
    audiences.push(audience);
    const token = sign(audience, own.privateKey);
    tokens.push(token);
    reply(200, { count: 1, value: value ?? token });
  });
  const { url: origin, close } = await listenOnLoopback(server);
  return {
    environment: {
      // With a query of its own, as on GitHub.
      ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret,
    },
    audiences,
    tokens,
    verify: (token) => {
      const [header = '', claims = '', signature = ''] = token.split('.');
      const right = createVerify('RSA-SHA256')
        .update(`${header}.${claims}`)
        .verify(own.publicKey, Buffer.from(signature, 'base64url'));
      if (!right) return undefined;
      const read = claimsSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
      return read.iss === ISSUER && read.exp * 1000 > Date.now() ? read : undefined;
    },
    forge: (audience) => sign(audience, stranger.privateKey),
    stop: close,
  };
};
