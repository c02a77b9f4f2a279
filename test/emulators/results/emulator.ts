import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ARTIFACT_SERVICE, artifactService } from './artifact-service.ts';
import { ArtifactStore, type StoredArtifact } from './artifact-store.ts';
import { type BlobRoute, blobRoute, serveBlob } from './blob-routes.ts';
import { BlobStore } from './blob-store.ts';
import { CACHE_SERVICE, type CacheModes, cacheService } from './cache-service.ts';
import { CacheState, type CacheStateOptions } from './cache-state.ts';
import { answer, type Exchange, readBody } from './exchange.ts';
import { type Fault, FaultPlan, ROUTES, type Route } from './faults.ts';
import { UrlSigner } from './signed-url.ts';
import { type JobRun, TokenOffice } from './tokens.ts';
import { type Services, serveTwirp, twirpRoute } from './twirp.ts';

export interface ResultsOptions {
  /** `OWNER/NAME` of the repository that runs the workflow. */
  readonly repository?: string;
  /** Faults from the start. */
  readonly faults?: readonly Fault[];
  /** One in so many requests fails, in turn by an answer 503 and by a connection that ends. */
  readonly failEvery?: number;
  /** How the caches are, and how they are served. */
  readonly caches?: CacheModes & Omit<CacheStateOptions, 'blobs' | 'now'>;
  /** Milliseconds since 1970. Default: the machine's clock. */
  readonly now?: () => number;
}

export interface LoggedRequest {
  /** A method of a service, an operation on a blob, or the path. */
  readonly route: string;
  readonly method: string;
  readonly path: string;
  /** Kind of the fault that hit it. */
  readonly fault?: string;
  /** 0 when no answer was sent. */
  status: number;
}

export interface ResultsEmulator {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  tokenFor(job: JobRun, lifetimeSeconds?: number): string;
  /** What a runner sets for a JavaScript action in this job. */
  environment(job: JobRun): Record<string, string>;
  /** All artifacts, with what was uploaded. */
  artifacts(): readonly (StoredArtifact & { readonly bytes: Buffer | undefined })[];
  /** The repository's caches, for an emulator of REST too. */
  readonly caches: CacheState;
  readonly blobs: BlobStore;
  readonly faults: { add(fault: Fault): void };
  readonly requests: readonly LoggedRequest[];
  stop(): Promise<void>;
}

/** The fault of a request that is one of every `failEvery`. */
const regularFault = (
  count: number,
  failEvery: number | undefined,
  onBlob: BlobRoute | undefined,
): Fault | undefined => {
  if (failEvery === undefined || count % failEvery !== 0) return undefined;
  // The route is not looked at any more.
  const route = 'GetBlob';
  const busy = { kind: 'status', status: 503, body: { code: 'unavailable', msg: 'try later' }, route } as const;
  const cut = { kind: onBlob === 'GetBlob' ? 'cut-download' : 'cut-upload', after: 0, route } as const;
  return (count / failEvery) % 2 === 0 ? cut : busy;
};

const isRoute = (name: string): name is Route => (ROUTES as readonly string[]).includes(name);

const answerStatus = async (exchange: Exchange): Promise<boolean> => {
  const { fault } = exchange;
  if (fault?.kind !== 'status') return false;
  await readBody(exchange);
  const { status, body = '', headers = {} } = fault;
  const type = typeof body === 'string' ? 'text/plain' : 'application/json';
  answer(
    exchange,
    status,
    { 'content-type': type, ...headers },
    typeof body === 'string' ? body : JSON.stringify(body),
  );
  return true;
};

/** What a runner tells an action about the job; only what the results service's clients look at, and a little more. */
const environmentOf = (url: string, token: string, repository: string, { run, job, attempt = 1 }: JobRun) => ({
  GITHUB_ACTIONS: 'true',
  // With the slash at its end, as on GitHub.
  ACTIONS_RESULTS_URL: `${url}/`,
  ACTIONS_RUNTIME_TOKEN: token,
  ACTIONS_CACHE_SERVICE_V2: 'True',
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: repository,
  GITHUB_RUN_ID: String(run),
  GITHUB_RUN_ATTEMPT: String(attempt),
  GITHUB_JOB: job,
  GITHUB_RETENTION_DAYS: '90',
});

/**
 * Starts GitHub's results service in this process, on a free loopback port: artifacts, caches, and the blob store that
 * holds them. It refuses what the service refuses, and what nobody has ever seen the clients send.
 */
export const startResults = async (options: ResultsOptions = {}): Promise<ResultsEmulator> => {
  const { repository = 'org/app', now = Date.now } = options;
  const tokens = new TokenOffice();
  const signer = new UrlSigner();
  const blobs = new BlobStore();
  const artifacts = new ArtifactStore();
  const faults = new FaultPlan();
  for (const fault of options.faults ?? []) faults.add(fault);
  const caches = new CacheState({ ...options.caches, blobs, now });
  const services: Services = {
    [ARTIFACT_SERVICE]: artifactService({ artifacts, blobs, signer, now }),
    [CACHE_SERVICE]: cacheService({ ...options.caches, caches, blobs, signer, now }),
  };
  const parts = { blobs, signer, now, onRead: (path: string) => caches.onRead(path) };
  const requests: LoggedRequest[] = [];

  const server = createServer(async (request, response) => {
    const parsed = new URL(request.url ?? '/', url);
    const onBlob = blobRoute(request.method, parsed);
    const route = onBlob ?? twirpRoute(parsed.pathname)?.name ?? parsed.pathname;
    const planned = isRoute(route) ? faults.take(route) : undefined;
    const fault = planned ?? regularFault(requests.length + 1, options.failEvery, onBlob);
    const entry: LoggedRequest = {
      route,
      method: request.method ?? '',
      path: parsed.pathname,
      ...(fault ? { fault: fault.kind } : {}),
      status: 0,
    };
    requests.push(entry);
    response.on('close', () => {
      entry.status = response.headersSent ? response.statusCode : 0;
    });
    const exchange: Exchange = { request, response, socket: request.socket, url: parsed, origin: url, fault };
    try {
      if (fault?.kind === 'slow') await sleep(fault.milliseconds);
      if (await answerStatus(exchange)) return;
      if (onBlob) await serveBlob(exchange, onBlob, parts);
      else await serveTwirp(exchange, services, tokens);
    } catch {
      // The client went away, or a fault ended the connection.
      exchange.socket.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    tokenFor: (job, lifetimeSeconds) => tokens.issue(job, lifetimeSeconds),
    environment: (job) => environmentOf(url, tokens.issue(job), repository, job),
    artifacts: () => artifacts.all().map((artifact) => ({ ...artifact, bytes: blobs.get(artifact.path)?.bytes })),
    caches,
    blobs,
    faults,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
