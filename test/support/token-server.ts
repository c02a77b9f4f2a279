import { sign, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { SERVER } from '../fixtures/certificates/index.ts';
import { listenOnLoopback } from './tools.ts';

export const SERVICE = 'registry.test';
export const ISSUER = 'token server of the tests';

/** The registry gives a token some seconds more than it has, and clocks differ; beyond that it has ended. */
const LEEWAY = 120;

export interface TokenServerOptions {
  /** Password and rights of each user, rights as `pull` or `pull,push`. */
  readonly users: Readonly<Record<string, { readonly password: string; readonly rights: string }>>;
}

export interface RunningTokenServer extends AsyncDisposable {
  /** The realm that a registry names. */
  readonly realm: string;
  /** Scopes of each token that was asked for. */
  readonly asked: readonly (readonly string[])[];
  /** The next tokens have ended when they are given out. */
  giveEnded(tokens: number): void;
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JSON web token (RFC 7515) that carries the certificate of the key that signed it. */
function signed(claims: object): string {
  const x5c = [new X509Certificate(SERVER.cert).raw.toString('base64')];
  const text = `${encoded({ typ: 'JWT', alg: 'ES256', x5c })}.${encoded(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: SERVER.key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** `repository:NAME:pull,push` of what is asked, with those of `rights` alone. */
const accessOf = (scopes: readonly string[], rights: readonly string[]) =>
  scopes.map((scope) => {
    const [type, name, actions = ''] = scope.split(':');
    return { type, name, actions: actions.split(',').filter((action) => rights.includes(action)) };
  });

function loginOf({ headers }: IncomingMessage): { readonly user: string; readonly password: string } {
  const plain = Buffer.from(headers.authorization?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8');
  const [user = '', password = ''] = plain.split(':', 2);
  return { user, password };
}

/** A token server as distribution's `auth: token` wants it (distribution-spec, `auth/token`). */
export const startTokenServer = async ({ users }: TokenServerOptions): Promise<RunningTokenServer> => {
  const asked: string[][] = [];
  let ended = 0;
  const server = createServer((request, response) => {
    const { user, password } = loginOf(request);
    const known = Object.hasOwn(users, user) ? users[user] : undefined;
    if (known?.password !== password) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'wrong user or password' }] }));
      return;
    }
    const scopes = new URL(request.url ?? '', 'http://localhost').searchParams.getAll('scope');
    asked.push(scopes);
    const now = Math.floor(Date.now() / 1000) - (ended > 0 ? 2 * LEEWAY : 0);
    ended = Math.max(0, ended - 1);
    const access = accessOf(scopes, known.rights.split(','));
    const claims = {
      iss: ISSUER,
      sub: user,
      aud: SERVICE,
      iat: now,
      nbf: now - 1,
      exp: now + 60,
      jti: crypto.randomUUID(),
    };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token: signed({ ...claims, access }), expires_in: 60 }));
  });
  const running = await listenOnLoopback(server);
  return {
    realm: `${running.url}/token`,
    asked,
    giveEnded: (tokens) => {
      ended = tokens;
    },
    [Symbol.asyncDispose]: running.close,
  };
};
