import { z } from 'zod';
import { bodyOf } from '../../../core/body.ts';
import { tryDecodeJson } from '../../../core/decode-json.ts';
import { UserError } from '../../../core/error.ts';
import type { Log } from '../../../core/log.ts';
import type { Clock } from '../../../core/retry.ts';
import { redactUrl, withQuery } from '../endpoint.ts';
import { failureOf } from '../failure.ts';
import type { RegistryRequest, Send } from '../send.ts';
import type { Challenge } from './challenge.ts';
import { type Credential, encodeBasic } from './credential.ts';

export interface Token {
  readonly value: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expires: number;
}

/** Gets a token that allows `scopes` from the server that a challenge names. */
export type FetchToken = (challenge: Challenge, scopes: readonly string[], credential: Credential) => Promise<Token>;

/** Where the registry answers, and where it may send us for tokens. */
interface AllowedRealms {
  readonly current: string;
  allows(url: URL): boolean;
}

/** distribution-spec's token protocol: `auth/token` and `auth/oauth` name the token differently; one may be there and empty. */
const tokenSchema = z.looseObject({
  token: z.string().nullish(),
  access_token: z.string().nullish(),
  expires_in: z.number().nonnegative().nullish(),
});

// What a token lasts when its server does not say, and the least that servers must grant, in seconds (`auth/token`).
const LIFETIME = 60;
const ANSWER_LIMIT = 1024 * 1024;
const CLIENT_ID = 'nix-images';

/** Some registries (ECR Public) ask for a scope of their own making; theirs goes before ours then. */
function scopesFor(challenge: Challenge, wanted: readonly string[]): readonly string[] {
  const asked = challenge.parameters.scope;
  return asked && !/^(repository|registry)[:(]/.test(asked) ? asked.split(' ') : wanted;
}

function realmOf(challenge: Challenge, origin: AllowedRealms): URL {
  const realm = challenge.parameters.realm ?? '';
  const url = URL.canParse(realm) ? mended(new URL(realm), origin.current) : undefined;
  if (url !== undefined && origin.allows(url) && url.username === '' && url.password === '') return url;
  throw new UserError(
    'registry',
    `the registry asks to get a token from ${url ? redactUrl(url) : JSON.stringify(realm.slice(0, 200))}, which is not https`,
    {
      hint: 'Set the registry up with an https realm; credentials are not sent in the clear.',
    },
  );
}

/** As with a Location: a proxy that ends TLS often leaves http in the realm of the same host. */
function mended(realm: URL, registry: string): URL {
  const { protocol, host } = new URL(registry);
  if (protocol === 'https:' && realm.protocol === 'http:' && realm.host === host) realm.protocol = protocol;
  return realm;
}

function buildRequest(
  url: URL,
  { challenge, scopes }: { readonly challenge: Challenge; readonly scopes: readonly string[] },
  credential: Credential,
  log: Pick<Log, 'mask'>,
): RegistryRequest {
  const service = challenge.parameters.service;
  if (credential.kind === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: CLIENT_ID,
      refresh_token: credential.token,
    });
    if (service) form.set('service', service);
    form.set('scope', scopes.join(' '));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url, headers, body: bodyOf(Buffer.from(form.toString())), bodyLimit: ANSWER_LIMIT };
  }
  // A realm may name the service by itself already.
  const named: [string, string][] = service && !url.searchParams.has('service') ? [['service', service]] : [];
  const query = [...named, ...scopes.map((scope): [string, string] => ['scope', scope])];
  if (credential.kind !== 'basic') return { method: 'GET', url: withQuery(url, query), bodyLimit: ANSWER_LIMIT };
  return {
    method: 'GET',
    url: withQuery(url, [...query, ['account', credential.username]]),
    headers: { authorization: encodeBasic(credential.username, credential.password, log) },
    bodyLimit: ANSWER_LIMIT,
  };
}

function parseToken(body: Buffer, url: URL): z.infer<typeof tokenSchema> {
  const token = tryDecodeJson(body, tokenSchema);
  if (token !== undefined) return token;
  // No cause: the parser's message could quote the token.
  throw new UserError('registry', `the token server ${redactUrl(url)} did not answer with a token`, {
    hint: 'Check that the registry’s realm is a token server.',
  });
}

/**
 * Fetches bearer tokens by `send`, from realms that `origin` lets us ask. Throws UserError `credentials` when the server
 * refuses the credential, `registry` when the realm or the answer is not usable.
 */
export const fetchTokens =
  (send: Send, origin: AllowedRealms, clock: Pick<Clock, 'now'>, log: Pick<Log, 'mask'>): FetchToken =>
  async (challenge, scopes, credential) => {
    const realm = realmOf(challenge, origin);
    const asked = clock.now();
    const reply = await send(buildRequest(realm, { challenge, scopes: scopesFor(challenge, scopes) }, credential, log));
    if (reply.body === undefined) throw await failureOf({ ...reply, tried: credential });
    const answer = parseToken(reply.body, realm);
    const value = answer.token || answer.access_token;
    if (!value || /[^\x21-\x7e]/.test(value)) {
      throw new UserError('registry', `the token server ${redactUrl(realm)} answered without a token`, {
        hint: 'Check that the registry’s realm is a token server.',
      });
    }
    log.mask(value, 'server');
    return { value, expires: asked + Math.max(answer.expires_in ?? LIFETIME, LIFETIME) * 1000 };
  };
