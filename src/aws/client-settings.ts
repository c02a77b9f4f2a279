import type { RetryPolicy } from '../core/retry.ts';
import { clientRetries } from './client-retries.ts';
import type { AwsWorld, WebIdentity } from './ecr-api.ts';
import { createRequestHandler } from './request-handler.ts';
import { type AwsService, serviceEndpoint } from './service-endpoint.ts';
import { keptKeys, webIdentityKeys } from './web-identity.ts';

/** AWS limits requests by the second; with the client's own waits, seven tries last about as long as those at registries. */
const ATTEMPTS = 7;

/** Some two minutes in all: with three of ten requests refused, one in two million fails for good. */
const PATIENT: RetryPolicy = {
  attempts: 12,
  baseDelay: 400,
  maxDelay: 20_000,
  maxRetryAfter: 20_000,
  totalTime: 300_000,
};

/**
 * Keys given in the environment, which count first; undefined leaves it to the client to look in profiles, tokens of
 * identity providers, and the roles of containers and instances.
 */
function keysOf({ env, log }: AwsWorld) {
  const [accessKeyId, secretAccessKey] = [env('AWS_ACCESS_KEY_ID'), env('AWS_SECRET_ACCESS_KEY')];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = env('AWS_SESSION_TOKEN');
  log.mask(secretAccessKey);
  if (sessionToken !== undefined) log.mask(sessionToken);
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

const told = new WeakMap<AwsWorld['log'], Set<string>>();

/** Says once what is waited for, however many requests and clients wait for it. */
function tellOnce(log: AwsWorld['log'], where: string, text: string): void {
  const known = told.get(log) ?? new Set();
  told.set(log, known);
  if (known.has(where)) return;
  known.add(where);
  log.warn(`${where}: ${text}`);
}

/** Where a service is, and what sends to it; without its own endpoint the client knows that. */
function connection(world: AwsWorld, service: AwsService, region: string) {
  const { clock, signal, log } = world;
  const endpoint = serviceEndpoint(world, service);
  const where = `${service} in ${region}${endpoint === undefined ? '' : ` at ${new URL(endpoint).host}`}`;
  const tell = (text: string): void => tellOnce(log, where, text);
  return {
    region,
    maxAttempts: ATTEMPTS,
    requestHandler: createRequestHandler(world.fetch, world.signal),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(clock === undefined ? {} : { retryStrategy: clientRetries(clock, { policy: PATIENT, signal, tell }) }),
  };
}

/** For what is asked only to learn why it is refused: the clients take a full repository for a limit of requests. */
export const ONE_TRY = { maxAttempts: 1 } as const;

type AskWebKeys = ReturnType<typeof webIdentityKeys>;

const shared = new WeakMap<AwsWorld, AskWebKeys>();

/** One session of a role for all clients of a world: each would assume it by itself. */
function sharedKeys(world: AwsWorld, webIdentity: WebIdentity, region: string): AskWebKeys {
  const known =
    shared.get(world) ?? keptKeys(webIdentityKeys(webIdentity, connection(world, 'STS', region), world.log));
  shared.set(world, known);
  return known;
}

/** Settings of a client of AWS's: where it sends, by what, and as whom. Throws UserError `input` for an endpoint that is no URL. */
export function clientSettings(world: AwsWorld, service: AwsService, region: string) {
  const { webIdentity } = world;
  const credentials = webIdentity ? sharedKeys(world, webIdentity, region) : keysOf(world);
  return { ...connection(world, service, region), ...(credentials === undefined ? {} : { credentials }) };
}
