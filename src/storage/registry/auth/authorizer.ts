import { UserError } from '../../../core/error.ts';
import type { Log } from '../../../core/log.ts';
import type { Clock } from '../../../core/retry.ts';
import { statusOf } from '../failure.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { type Credential, encodeBasic, type Tried } from './credential.ts';
import { grantsAll } from './granted.ts';
import type { FetchToken, Token } from './token.ts';

type Scheme =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly challenge: Challenge };

const scopeKey = (scopes: readonly string[]): string => scopes.join(' ');

// A token that ends within this time is not used any more, in milliseconds.
const MARGIN = 10_000;

// The same for a credential: the last request that it opens may be an upload, which is let in at its start.
const CREDENTIAL_MARGIN = 60_000;

// How a token server says that it does not take the credential.
const REFUSED = [400, 401, 403];

/** Knows what to put into `Authorization` for one registry: learns the scheme from challenges, keeps tokens by scope. */
export class Authorizer {
  readonly #findCredential: (ended?: Credential) => Promise<Credential>;
  readonly #fetchToken: FetchToken;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Pick<Log, 'mask'>;
  readonly #tokens = new Map<string, Promise<Token>>();
  #scheme: Scheme = { kind: 'none' };
  #credential: Promise<Credential> | undefined;
  #tried: Tried | undefined;
  /** Whether the registry has accepted the credential: one that it never accepted cannot end. */
  #isAccepted = false;
  /** Whether a credential was renewed that was never accepted, only because the registry said in words that it has ended. */
  #wasTold = false;

  constructor(
    findCredential: (ended?: Credential) => Promise<Credential>,
    fetchToken: FetchToken,
    clock: Pick<Clock, 'now'>,
    log: Pick<Log, 'mask'>,
  ) {
    this.#findCredential = findCredential;
    this.#fetchToken = fetchToken;
    this.#clock = clock;
    this.#log = log;
  }

  /** Which credential was presented so far; undefined while the registry has not asked for any. */
  get tried(): Tried | undefined {
    return this.#tried;
  }

  /** The header's value for requests that need `scopes`; undefined while the registry has not asked for any. */
  async header(scopes: readonly string[]): Promise<string | undefined> {
    const scheme = this.#scheme;
    if (scheme.kind === 'none') return undefined;
    const credential = await this.#find();
    if (scheme.kind === 'basic') return basicHeader(credential, this.#log);
    if (credential.kind === 'bearer') return `Bearer ${credential.token}`;
    return `Bearer ${(await this.#tokenOf(scheme.challenge, scopes, credential)).value}`;
  }

  /** Whether the token for `scopes` allows them, as far as one was asked for and says so. */
  async isGranted(scopes: readonly string[]): Promise<boolean | undefined> {
    const token = await this.#tokens.get(scopeKey(scopes))?.catch(() => undefined);
    return token && grantsAll(token.value, scopes);
  }

  /** Whether there is anything to say who we are. Where that cannot be found out, nobody has asked for it yet. */
  async hasCredential(): Promise<boolean> {
    return this.#find().then(
      ({ kind }) => kind !== 'anonymous',
      () => false,
    );
  }

  /**
   * Takes in a 401: learns the scheme and drops the token that was refused. True when another try with a fresh
   * `header` may do better than `sent` did.
   */
  async challenged(response: Response, scopes: readonly string[], sent: string | undefined): Promise<boolean> {
    const challenges = parseChallenges(response.headers.get('www-authenticate') ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm);
    if (bearer !== undefined) {
      await this.#forget(scopes, sent);
      this.#scheme = { kind: 'bearer', challenge: bearer };
    } else if (challenges.some(({ scheme }) => scheme === 'basic')) {
      this.#scheme = { kind: 'basic' };
    } else {
      return false;
    }
    const next = await this.header(scopes);
    return next !== undefined && next !== sent;
  }

  /** Takes in that the registry let us do something. */
  accepted(): void {
    this.#isAccepted = true;
    this.#wasTold = false;
  }

  /**
   * Takes in that the registry said the credential has ended, in words where `isTold`: has it renewed, once until it is accepted
   * again. True when another try with a fresh `header` may do better than `sent` did.
   */
  async ended(scopes: readonly string[], sent: string | undefined, isTold: boolean): Promise<boolean> {
    const credential = await this.#find();
    if (!isRenewable(credential) || sent === undefined) return false;
    // Of requests under way together, the first one that was refused has renewed it for all.
    if (sent === (await this.header(scopes))) this.#renew(credential, isTold);
    return sent !== (await this.header(scopes));
  }

  /**
   * False where the registry has never accepted the credential: then it is not one that ended, but one that is of no use here.
   * One that another repository has used may have ended all the same, if the registry says so.
   */
  #renew(credential: Credential, isTold = false): boolean {
    const hasEnded = this.#isAccepted || (isTold && !this.#wasTold);
    if (!hasEnded || !isRenewable(credential)) return false;
    this.#wasTold = !this.#isAccepted;
    this.#isAccepted = false;
    this.#tokens.clear();
    this.#ask(credential);
    return true;
  }

  /** Drops the refused token, unless another request has renewed it meanwhile. */
  async #forget(scopes: readonly string[], sent: string | undefined): Promise<void> {
    const kept = this.#tokens.get(scopeKey(scopes));
    const token = await kept?.catch(() => undefined);
    const isCurrent = this.#tokens.get(scopeKey(scopes)) === kept;
    if (isCurrent && (token === undefined || `Bearer ${token.value}` === sent)) this.#tokens.delete(scopeKey(scopes));
  }

  async #find(): Promise<Credential> {
    const asked = this.#credential ?? this.#ask();
    const credential = await asked;
    const expires = credential.kind === 'basic' ? credential.expires : undefined;
    if (expires === undefined || expires - CREDENTIAL_MARGIN > this.#clock.now()) return credential;
    // Many requests may find that it ends; the first one asks for all of them.
    return this.#credential === asked ? this.#ask(credential) : (this.#credential ?? credential);
  }

  #ask(ended?: Credential): Promise<Credential> {
    const asked = this.#findCredential(ended).then((credential) => {
      this.#tried = credential;
      return credential;
    });
    this.#credential = asked;
    return asked;
  }

  /** The token server is the first to see that a credential has ended. */
  async #tokenOf(challenge: Challenge, scopes: readonly string[], credential: Credential): Promise<Token> {
    try {
      return await this.#token(challenge, scopes, credential);
    } catch (error) {
      if (!REFUSED.includes(statusOf(error) ?? 0) || !this.#renew(credential)) throw error;
      return this.#token(challenge, scopes, await this.#find());
    }
  }

  async #token(challenge: Challenge, scopes: readonly string[], credential: Credential): Promise<Token> {
    const key = scopeKey(scopes);
    const kept = this.#tokens.get(key);
    const token = await kept;
    if (token !== undefined && token.expires - MARGIN > this.#clock.now()) return token;
    // Many requests may find the token missing at once; the first one asks for all of them.
    if (this.#tokens.get(key) === kept) {
      const asked = this.#fetchToken(challenge, scopes, credential);
      this.#tokens.set(key, asked);
      asked.catch(() => {
        if (this.#tokens.get(key) === asked) this.#tokens.delete(key);
      });
    }
    return (await this.#tokens.get(key)) ?? this.#token(challenge, scopes, credential);
  }
}

const isRenewable = (credential: Credential): boolean =>
  credential.kind === 'basic' && credential.expires !== undefined;

function basicHeader(credential: Credential, log: Pick<Log, 'mask'>): string | undefined {
  if (credential.kind === 'anonymous') return undefined;
  if (credential.kind !== 'basic') {
    throw new UserError(
      'credentials',
      `the registry wants a user name and a password, but ${credential.origin} is a token`,
      {
        hint: 'Log in again with a user name and a password.',
      },
    );
  }
  return encodeBasic(credential.username, credential.password, log);
}
