import { type Body, bodyOf } from '../../core/body.ts';
import { cancelled, UserError } from '../../core/error.ts';
import { describeNetworkError, isLastingNetworkError, networkFailure } from '../../core/network-error.ts';
import { isRetriableStatus, isTooManyRequests, type Outcome, parseRetryAfter, withRetry } from '../../core/retry.ts';
import { Authorizer } from './auth/authorizer.ts';
import type { Keychain } from './auth/credential.ts';
import { mayLeadTo, originOf, redactUrl, resolveLocation } from './endpoint.ts';
import { failureOf } from './failure.ts';
import { drain, readCapped } from './response-body.ts';
import { type SendOptions, sendOnce } from './send-once.ts';
import type { StreamedBody } from './streamed-body.ts';

export type { Fetch } from './send-once.ts';

export interface TransportOptions extends SendOptions {
  readonly keychain: Keychain;
  /** Hosts (with or without port) beside loopback that are spoken to in plain http. */
  readonly plainHosts: readonly string[];
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string | URL;
  /** What a token must allow, as `repository:NAME:ACTIONS`. */
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** Statuses that are an answer and no failure. */
  readonly expect: readonly number[];
  /** Reads up to this many bytes of a successful reply's body as part of the request: a cut is tried again too. */
  readonly bodyLimit?: number;
}

/** A request that is sent once, as its bytes come. */
export interface StreamRequest {
  readonly method: 'PATCH';
  readonly url: URL;
  readonly scopes: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: StreamedBody;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** A reply, and the URL that a relative Location in it starts from. */
export interface Reply {
  readonly response: Response;
  readonly url: URL;
  /** The body, when the request asked for it with `bodyLimit`. */
  readonly body?: Buffer;
}

const REDIRECTS = 5;

/** Speaks HTTP to one registry for one repository: authorization, redirects, time-outs, retries, errors. */
export class Transport {
  readonly #host: string;
  readonly #options: TransportOptions;
  readonly #authorizer: Authorizer;
  /** Where the registry answers, as far as its name tells. */
  readonly #named: string;
  /** The same once loopback hosts were asked. */
  #origin: string;
  #welcome: Promise<Response> | undefined;

  constructor(host: string, repository: string, options: TransportOptions) {
    this.#named = originOf(host, options.plainHosts);
    this.#origin = this.#named;
    this.#host = host;
    this.#options = options;
    this.#authorizer = new Authorizer({
      host,
      repository,
      keychain: options.keychain,
      log: options.log,
      now: () => options.clock.now(),
      signal: options.signal,
      isAllowed: (url) => mayLeadTo(new URL(this.origin), url, options.plainHosts),
      send: ({ method, url, headers, body }) =>
        this.#repeat(method, url, async () => ({
          response: await this.#fetch(url, method, headers, body === undefined ? undefined : bodyOf(Buffer.from(body))),
          url,
        })).then(({ response }) => response),
    });
  }

  /** Where URLs of this registry begin. Those made before the first request was sent are good afterwards, too. */
  get origin(): string {
    return this.#origin;
  }

  /** Sends a request that may be sent twice. Throws UserError when the answer is none of `expect`. */
  async send(request: RegistryRequest): Promise<Reply> {
    const reply = await this.#repeat(request.method, request.url, async () => {
      const answer = await this.exchange(request);
      if (request.bodyLimit === undefined || !answer.response.ok) return answer;
      const { signal, timeout } = this.#options;
      return { ...answer, body: await readCapped(answer.response, request.bodyLimit, signal, timeout) };
    });
    if (request.expect.includes(reply.response.status)) return reply;
    throw await this.failure(reply, request.method);
  }

  /** One try with authorization and redirects; any status comes back, a broken connection throws. */
  async exchange(request: RegistryRequest): Promise<Reply> {
    await this.#settle();
    return this.#options.hosts.budget(new URL(this.#origin).host).inFlight(async () => {
      for (let round = 1; ; round += 1) {
        const authorization = await this.#authorizer.header(request.scopes);
        const reply = await this.#follow(request, authorization);
        if (round > 2 || !(await this.#mayDoBetter(reply, request.scopes, authorization))) return reply;
        await drain(reply.response, this.#options.signal);
      }
    });
  }

  /** Finds out where the registry answers. */
  async #settle(): Promise<void> {
    this.#origin = await this.#options.hosts.origin(this.#host, this.#options);
  }

  /** The URL under the origin that was found out. */
  #located(url: string | URL): URL {
    const given = new URL(url);
    return given.origin === this.#named ? new URL(this.#origin + given.pathname + given.search) : given;
  }

  /**
   * One try of a request whose body can be had only once, without redirects; any status comes back, a broken connection
   * throws. After a 401, `isRenewed` says whether another try goes with fresh credentials. It takes none of the places of
   * other requests: what it waits for may be waiting for those.
   */
  async stream(request: StreamRequest): Promise<Reply & { readonly isRenewed: boolean }> {
    await this.#settle();
    const { method, headers, body, scopes, signal } = request;
    const url = this.#located(request.url);
    const authorization = await this.#authorizer.header(scopes);
    const own = url.origin === this.origin && authorization !== undefined ? { authorization } : {};
    const reply = { response: await this.#fetch(url, method, { ...headers, ...own }, body, signal), url };
    return { ...reply, isRenewed: await this.#mayDoBetter(reply, scopes, authorization) };
  }

  /** Whether a refusal taught us how to authenticate, so that the request is worth another try. */
  async #mayDoBetter({ response, url }: Reply, scopes: readonly string[], sent: string | undefined): Promise<boolean> {
    if (url.origin !== this.origin) return false;
    if (response.status === 401 && (await this.#authorizer.challenged(response, scopes, sent))) return true;
    // Some registries say only at /v2/ that they want to know who asks, and deny or hide everything else until then.
    if (sent !== undefined || ![401, 403, 404].includes(response.status)) return false;
    if (response.status === 404 && !(await this.#authorizer.hasCredential())) return false;
    const welcome = await this.#ask();
    return welcome.status === 401 && (await this.#authorizer.challenged(welcome, scopes, sent));
  }

  /** What the registry says to those who only come to the door; asked once. */
  #ask(): Promise<Response> {
    const asked =
      this.#welcome ??
      this.#fetch(new URL('/v2/', this.origin), 'GET', {}).then(async (welcome) => {
        await drain(welcome, this.#options.signal);
        return welcome;
      });
    this.#welcome = asked;
    asked.catch(() => {
      this.#welcome = undefined;
    });
    return asked;
  }

  /** The error for an answer that is no success. */
  failure({ response, url }: Reply, method: string): Promise<UserError> {
    return failureOf(response, { method, url, tried: this.#authorizer.tried, signal: this.#options.signal });
  }

  /** Repeats `attempt` while the connection breaks or the status says that another try may help. */
  #repeat(method: string, url: string | URL, attempt: () => Promise<Reply>): Promise<Reply> {
    return withRetry(() => this.#outcome(method, url, attempt), { ...this.#options, policy: this.#options.retry });
  }

  /** One attempt as `withRetry` wants it. */
  async #outcome(method: string, url: string | URL, attempt: () => Promise<Reply>): Promise<Outcome<Reply>> {
    const what = `${method} ${redactUrl(url)}`;
    try {
      const reply = await attempt();
      const { response } = reply;
      const { status } = response;
      const retryAfter = parseRetryAfter(response.headers.get('retry-after'), this.#options.clock.now());
      const isPaused = isTooManyRequests(status, retryAfter);
      if (!isRetriableStatus(status) && !isPaused) return { done: reply };
      const error = await this.failure(reply, method);
      if (isPaused && (retryAfter ?? 0) > this.#options.retry.maxRetryAfter) throw error;
      return { isPaused, retry: `${what} was answered ${status}`, retryAfter, error: () => error };
    } catch (error) {
      this.#rethrowLasting(error, what);
      return {
        retry: `${what} failed (${describeNetworkError(error)})`,
        error: () => networkFailure(error, what, this.#host),
      };
    }
  }

  #rethrowLasting(error: unknown, what: string): void {
    if (this.#options.signal?.aborted) throw cancelled(error);
    if (error instanceof UserError) throw error;
    if (isLastingNetworkError(error)) throw networkFailure(error, what, this.#host);
  }

  #fetch(
    url: URL,
    method: string,
    headers: Readonly<Record<string, string>>,
    body?: Body | StreamedBody,
    stop?: AbortSignal,
  ): Promise<Response> {
    return sendOnce({ url, method, headers, body, stop }, this.#options);
  }

  async #follow(request: RegistryRequest, authorization: string | undefined): Promise<Reply> {
    let url = this.#located(request.url);
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    for (let hop = 0; ; hop += 1) {
      // Storage behind a registry is another party: the registry's credentials are not for it.
      const own = url.origin === this.origin && authorization !== undefined ? { authorization } : {};
      const response = await this.#fetch(url, request.method, { ...request.headers, ...own }, request.body);
      const location = response.headers.get('location');
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
      const next = isRedirect ? resolveLocation(location, url, this.#options.plainHosts) : undefined;
      // Only 307 and 308 keep method and body (RFC 9110, 15.4).
      if (next === undefined || (!isReading && response.status < 307)) return { response, url };
      await drain(response, this.#options.signal);
      if (hop >= REDIRECTS)
        throw new UserError('registry', `too many redirects from ${redactUrl(request.url)}`, {
          hint: 'Check the set-up of the registry and its proxies.',
        });
      url = next;
    }
  }
}
