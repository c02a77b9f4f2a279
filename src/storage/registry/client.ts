import type { Effects } from '../../core/effects.ts';
import type { Log } from '../../core/log.ts';
import { type Clock, DEFAULT_RETRY, type RetryPolicy } from '../../core/retry.ts';
import type { Reference } from '../../oci/reference.ts';
import { Authorizer } from './auth/authorizer.ts';
import type { Keychain } from './auth/credential.ts';
import { fetchTokens } from './auth/token.ts';
import { resolveLocation } from './endpoint.ts';
import { failureOf } from './failure.ts';
import type { Hosts } from './fetch/hosts.ts';
import { RegistryOrigin, withOrigin } from './fetch/origin.ts';
import { IDLE_TIME, readBody } from './fetch/response-body.ts';
import { withAuth } from './fetch/with-auth.ts';
import { withBudget, withFewAtOnce } from './fetch/with-budget.ts';
import { withLimits } from './fetch/with-limits.ts';
import { withLog } from './fetch/with-log.ts';
import { withRedirects } from './fetch/with-redirects.ts';
import { withBody, withRetry } from './fetch/with-retry.ts';
import { withTimeout } from './fetch/with-timeout.ts';
import type { PartialPulls } from './partial-pulls.ts';
import type { RegistryRequest, Reply, Send } from './send.ts';
import { type FindWays, type RegistryWays, USUAL_WAYS } from './ways.ts';

/** What registries need from the world. */
export interface RegistryWorld extends Pick<Effects, 'fetch' | 'log' | 'clock'> {
  readonly keychain: Keychain;
  /** Shared by all of the process. */
  readonly hosts: Hosts;
  /** Hosts, with or without port, that are spoken to in plain http; loopback always is. */
  readonly plainHosts: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Milliseconds that a registry may take to answer, and without a byte after which it is taken for dead. */
  readonly timeout?: number | undefined;
  /** What registries do in their own way. Default: nothing. */
  readonly ways?: FindWays | undefined;
  /** Is told what is sent. Default: nobody is. */
  readonly partialPulls?: PartialPulls | undefined;
}

/** One repository's end of the distribution API. */
export interface RegistryClient {
  /** Where uploads, downloads and their retries take their time from. */
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
  /** What tokens for the repository itself allow. */
  readonly scopes: readonly string[];
  readonly ways: RegistryWays;
  /** Is told of each manifest that is sent. */
  readonly partialPulls: PartialPulls | undefined;
  /** Whether the login allows `scopes`, as far as the registry has shown it; undefined where that is not known. */
  isGranted(): Promise<boolean | undefined>;
  /** Manifests that the repository has taken from this process, by digest and tag. */
  readonly written: Set<string>;
  /** The repository itself. */
  readonly repository: string;
  /** A repository of the same registry in which this process has put or seen a blob, by digest. */
  readonly blobs: Map<string, string>;
  /** The URL of `path` in the repository, such as `manifests/1.0`. */
  url(path: string): URL;
  /** Sends a request that may be sent twice. Throws UserError when the status of the answer is none of `expect`. */
  send(request: RegistryRequest, expect: readonly number[]): Promise<Reply>;
  /** One try; any status comes back, a broken connection throws. */
  sendOnce: Send;
  /** The body of a reply, chunk by chunk; throws as `readBody` does. */
  read(reply: Reply): AsyncIterable<Uint8Array>;
  /** The URL that a reply names. Throws UserError `registry` where it may not lead there. */
  resolve(target: string, reply: Reply): URL;
  /** Where a reply sends us; undefined where it does not say. Throws UserError `registry`. */
  location(reply: Reply): URL | undefined;
}

/** `repository:NAME:ACTIONS`, as token servers want it. */
export const scopeOf = (repository: string, actions: 'pull' | 'pull,push' | 'pull,push,delete'): string =>
  `repository:${repository}:${actions}`;

/** The client of one repository. Nothing is sent before the first request; `mode` is what tokens are asked for. */
export function openClient(
  { host, repository }: Pick<Reference, 'host' | 'repository'>,
  mode: 'read' | 'write',
  world: RegistryWorld,
): RegistryClient {
  const { keychain, log, hosts, clock, plainHosts, signal, retry = DEFAULT_RETRY, timeout = IDLE_TIME } = world;
  const waiting = { policy: retry, clock, log, signal };
  const scopes = [scopeOf(repository, mode === 'read' ? 'pull' : 'pull,push')];

  const ways = world.ways?.({ host, repository }) ?? USUAL_WAYS;
  const fetch = withLog(world.fetch, log, clock);
  const inTurn = withBudget(withLimits(withTimeout(fetch, timeout, signal)), hosts, waiting, ways);
  const repeated = (send: Send): Send => withRetry(withBody(send, timeout, signal), host, waiting);

  const origin = new RegistryOrigin(host, plainHosts, () => hosts.origin(host, plainHosts, fetch, signal));
  const tokens = fetchTokens(repeated(inTurn), origin, clock, log);
  const authorizer = new Authorizer((ended) => keychain.find(host, repository, ended), tokens, clock, log);
  const toRegistry = withRedirects(withAuth(inTurn, authorizer, origin), plainHosts);
  const once = withOrigin(withFewAtOnce(toRegistry, hosts), origin);
  const sendRepeated = repeated(once);

  return {
    clock,
    retry,
    log,
    signal,
    scopes,
    ways,
    partialPulls: world.partialPulls,
    isGranted: () => authorizer.isGranted(scopes),
    written: hosts.written(host, repository),
    repository,
    blobs: hosts.blobs(host),
    url: (path) => new URL(`${origin.current}/v2/${repository}/${path}`),
    send: async (request, expect) => {
      const reply = await sendRepeated({ scopes, ...request });
      if (!expect.includes(reply.response.status)) throw await failureOf(reply);
      return reply;
    },
    sendOnce: (request) => once({ scopes, ...request }),
    read: ({ response }) => readBody(response, signal, timeout),
    resolve: (target, { url }) => resolveLocation(target, url, plainHosts),
    location: ({ response, url }) => {
      const location = response.headers.get('location');
      return location === null ? undefined : resolveLocation(location, url, plainHosts);
    },
  };
}
