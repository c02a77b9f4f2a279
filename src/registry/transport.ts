import { UserError } from '../io/error.ts';
import type { Log } from '../io/log.ts';
import { Authorizer } from './authorizer.ts';
import { type Body, bodyOf } from './body.ts';
import type { Keychain } from './credential.ts';
import { allowsPlainHttp, originOf, redactUrl, resolveLocation } from './endpoint.ts';
import { failureOf } from './failure.ts';
import type { Hosts } from './hosts.ts';
import { describeNetworkError, isLastingNetworkError, networkFailure } from './network-error.ts';
import { cancelled, drain, readCapped } from './response-body.ts';
import {
  type Clock,
  isRetriableStatus,
  isTooManyRequests,
  type Outcome,
  parseRetryAfter,
  type RetryPolicy,
  withRetry,
} from './retry.ts';

export type Fetch = typeof globalThis.fetch;

export interface TransportOptions {
  readonly fetch: Fetch;
  readonly keychain: Keychain;
  readonly log: Log;
  /** Shared by all of the process. */
  readonly hosts: Hosts;
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  /** Hosts (with or without port) beside loopback that are spoken to in plain http. */
  readonly plainHosts: readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the connection and the reply's headers (requests with a body get more by its size), and between bytes. */
  readonly timeout: number;
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

/** A reply, and the URL that a relative Location in it starts from. */
export interface Reply {
  readonly response: Response;
  readonly url: URL;
  /** The body, when the request asked for it with `bodyLimit`. */
  readonly body?: Buffer;
}

const REDIRECTS = 5;
// The slowest line that uploads are awaited on, in bytes per millisecond (64 KiB/s).
const SLOWEST_UPLOAD = 64;
/** As `fetch` wants them. */
async function* chunks(body: Body): AsyncGenerator<Uint8Array> {
  yield* body.pieces();
}

/** Speaks HTTP to one registry for one repository: authorization, redirects, time-outs, retries, errors. */
export class Transport {
  readonly #host: string;
  readonly #options: TransportOptions;
  readonly #authorizer: Authorizer;
  /** Where the registry answers, as far as its name tells. */
  readonly #named: string;
  /** The same once loopback hosts were asked. */
  #origin: string;

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
      isAllowed: (url) =>
        url.protocol === 'https:' || (url.protocol === 'http:' && allowsPlainHttp(url.host, options.plainHosts)),
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
        const isOurs = reply.url.origin === this.origin;
        if (reply.response.status !== 401 || !isOurs || round > 2) return reply;
        if (!(await this.#authorizer.challenged(reply.response, request.scopes, authorization))) return reply;
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

  async #follow(request: RegistryRequest, authorization: string | undefined): Promise<Reply> {
    let url = this.#located(request.url);
    const maySendAgain = request.method === 'GET' || request.method === 'HEAD';
    for (let hop = 0; ; hop += 1) {
      // Storage behind a registry is another party: the registry's credentials are not for it.
      const own = url.origin === this.origin && authorization !== undefined ? { authorization } : {};
      const response = await this.#fetch(url, request.method, { ...request.headers, ...own }, request.body);
      const location = response.headers.get('location');
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
      const next = isRedirect ? resolveLocation(location, url, this.#options.plainHosts) : undefined;
      if (next === undefined || (!maySendAgain && (response.status < 307 || next.origin !== url.origin)))
        return { response, url };
      await drain(response, this.#options.signal);
      if (hop >= REDIRECTS)
        throw new UserError('registry', `${redactUrl(request.url)} redirects in a circle.`, {
          hint: 'Check the set-up of the registry and its proxies.',
        });
      url = next;
    }
  }

  async #fetch(url: URL, method: string, headers: Readonly<Record<string, string>>, body?: Body): Promise<Response> {
    const { signal, timeout, fetch } = this.#options;
    if (signal?.aborted) throw cancelled(signal.reason);
    const budget = this.#options.hosts.budget(url.host);
    await budget.turn(signal);
    const sentAt = this.#options.clock.now();
    const deadline = new AbortController();
    const limit = timeout + (body?.length ?? 0) / SLOWEST_UPLOAD;
    const timer = setTimeout(() => deadline.abort(new Error(`no answer within ${Math.round(limit / 1000)} s`)), limit);
    try {
      const response = await fetch(url, {
        method,
        // Without this the client would ask for compressed replies and unpack them before we can check their digest.
        headers: {
          'accept-encoding': 'identity',
          'user-agent': 'nix-images',
          ...headers,
          ...(body ? { 'content-length': String(body.length) } : {}),
        },
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, deadline.signal]) : deadline.signal,
        ...(body === undefined || body.length === 0 ? {} : { body: chunks(body), duplex: 'half' as const }),
      });
      budget.heed(response, { sentAt, policy: this.#options.retry, log: this.#options.log });
      return response;
    } finally {
      clearTimeout(timer);
    }
  }
}
