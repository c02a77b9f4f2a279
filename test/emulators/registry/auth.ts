import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface AuthOptions {
  readonly scheme: 'none' | 'basic' | 'token';
  readonly users?: Readonly<Record<string, string>>;
  /** What a password is worth now, where passwords come and go. */
  readonly passwordState?: (username: string, password: string) => 'good' | 'ended' | 'unknown';
  /** What is answered to a password that has ended, and to tokens got by it. Default: a challenge. */
  readonly ended?: { readonly status: number; readonly body: string };
  /** Refresh tokens that the token server takes. */
  readonly identityTokens?: readonly string[];
  /** Whether everybody may pull. */
  readonly anonymousPull?: boolean;
  /** Users who may only read. */
  readonly readers?: readonly string[];
  /** Whether tokens say what they allow, as distribution's do. */
  readonly tellsAccess?: boolean;
  /** Where somebody without a login is refused: by the token server with 401, or with 403 when the token is shown. */
  readonly refusesStrangers?: 'token' | 'manifest';
  /** Whether the token is called access_token. */
  readonly accessTokenField?: boolean;
  /** Whether the token is called access_token, and an empty one token. */
  readonly emptyTokenField?: boolean;
  /** Whether only /v2/ says how to log in; everything else denies or hides what it has. */
  readonly challengesAtRootOnly?: boolean;
  /** A realm other than the emulator's own. */
  readonly realm?: string;
  /** Whether a token for several scopes allows the last one only. */
  readonly grantsLastScope?: boolean;
  /** After how many bytes of bodies a token has ended; that is looked at when a body has arrived, as behind a proxy. */
  readonly bytesPerToken?: number;
}

interface Grant {
  /** The header that it was got by. */
  readonly by: string | undefined;
  scopes: readonly string[];
  bytes: number;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: string;
}

const parseBasic = (header: string | undefined): [string, string] | undefined => {
  const encoded = /^Basic (.+)$/.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
};

/** A token with the claim `access` (distribution, "Token Authentication Implementation"); nobody here looks at the signature. */
const tellingToken = (scopes: readonly string[]): string => {
  const access = scopes.flatMap((scope) => {
    const [, type, name, actions = ''] = /^([^:]+):(.+):([a-z,]+)$/.exec(scope) ?? [];
    return [{ type, name, actions: actions.split(',') }];
  });
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ typ: 'JWT', alg: 'ES256' })}.${encode({ access, jti: randomBytes(9).toString('hex') })}.signature`;
};

/** The access rules of an emulated registry and its token server. */
export class Authority {
  readonly #options: AuthOptions;
  readonly #grants = new Map<string, Grant>();

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  revokeAll(): void {
    this.#grants.clear();
  }

  /** Undefined when the request may go on, else the challenge to answer it with. */
  challenge(request: IncomingMessage, host: string, repository: string, action: 'pull' | 'push'): string | undefined {
    const { scheme, realm } = this.#options;
    const header = request.headers.authorization;
    if (scheme === 'none') return undefined;
    if (scheme === 'basic') return this.#isUser(header) ? undefined : 'Basic realm="emulator, \\"strict\\""';
    if (this.allows(header, repository, action)) return undefined;
    const scope = `repository:${repository}:${action === 'push' ? 'pull,push' : 'pull'}`;
    return `Bearer realm="${realm ?? `http://${request.headers.host ?? host}/token`}",service="emulator",scope="${scope}"`;
  }

  get challengesAtRootOnly(): boolean {
    return this.#options.challengesAtRootOnly === true;
  }

  allows(header: string | undefined, repository: string, action: 'pull' | 'push'): boolean {
    if (this.#options.scheme !== 'token') return true;
    const grant = this.#grants.get(/^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '');
    return (
      grant?.scopes.some((scope) => {
        const [, name, actions] = /^repository:(.+):([a-z,]+)$/.exec(scope) ?? [];
        return name === repository && (actions ?? '').split(',').includes(action);
      }) === true
    );
  }

  /** Whether a request shows a token that somebody without a login got. */
  isDenied(header: string | undefined): boolean {
    const grant = this.#grants.get(/^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '');
    return this.#options.refusesStrangers === 'manifest' && grant !== undefined && grant.by === undefined;
  }

  /** Takes in a body that has arrived; whether the token it came with is still good. */
  spend(header: string | undefined, bytes: number): boolean {
    const grant = this.#grants.get(/^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '');
    const { bytesPerToken } = this.#options;
    if (grant === undefined || bytesPerToken === undefined) return true;
    grant.bytes += bytes;
    if (grant.bytes > bytesPerToken) grant.scopes = [];
    return grant.bytes <= bytesPerToken;
  }

  /** The token server: GET with a user and a password or without, POST with a refresh token. */
  token(request: IncomingMessage, url: URL, form: URLSearchParams | undefined): TokenAnswer {
    const isRefresh = form?.get('grant_type') === 'refresh_token';
    const isIdentified = isRefresh && (this.#options.identityTokens ?? []).includes(form.get('refresh_token') ?? '');
    const isUser = this.#isUser(request.headers.authorization);
    const isRefused = isRefresh ? !isIdentified : request.headers.authorization !== undefined && !isUser;
    const isStranger = !isRefresh && request.headers.authorization === undefined;
    if (isRefused || (isStranger && this.#options.refusesStrangers === 'token'))
      return { status: 401, body: JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'wrong password' }] }) };
    const wanted = isRefresh ? (form.get('scope') ?? '').split(' ') : url.searchParams.getAll('scope');
    const scopes =
      isUser || isIdentified
        ? wanted
        : this.#options.anonymousPull
          ? wanted.map((scope) => scope.replace(/:[a-z,]+$/, ':pull'))
          : [];
    const isReader = this.#options.readers?.includes(parseBasic(request.headers.authorization)?.[0] ?? '');
    const allowed = isReader ? scopes.map((scope) => scope.replace(/:[a-z,]+$/, ':pull')) : scopes;
    const granted = this.#options.grantsLastScope ? allowed.slice(-1) : allowed;
    const token = this.#options.tellsAccess ? tellingToken(granted) : randomBytes(12).toString('hex');
    this.#grants.set(token, { scopes: granted, by: request.headers.authorization, bytes: 0 });
    const field = this.#options.accessTokenField || isRefresh ? 'access_token' : 'token';
    const empty = this.#options.emptyTokenField ? { token: '', access_token: token } : undefined;
    return { status: 200, body: JSON.stringify({ ...(empty ?? { [field]: token }), expires_in: 300 }) };
  }

  /** How a request is answered whose credential was good and is not any more; undefined for every other. */
  endedAnswer(request: IncomingMessage): { readonly status: number; readonly body: string } | undefined {
    const header = request.headers.authorization;
    const grant = this.#grants.get(/^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '');
    const [user, password] = parseBasic(grant?.by ?? header) ?? [];
    if (user === undefined || password === undefined) return undefined;
    return this.#options.passwordState?.(user, password) === 'ended' ? this.#options.ended : undefined;
  }

  #isUser(header: string | undefined): boolean {
    const [user, password] = parseBasic(header) ?? [];
    if (user === undefined || password === undefined) return false;
    const { users, passwordState } = this.#options;
    return passwordState ? passwordState(user, password) === 'good' : users?.[user] === password;
  }
}
