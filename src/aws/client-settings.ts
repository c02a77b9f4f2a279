import type { AwsWorld } from './ecr-api.ts';
import { createRequestHandler } from './request-handler.ts';
import { type AwsService, serviceEndpoint } from './service-endpoint.ts';
import { webIdentityKeys } from './web-identity.ts';

/** AWS limits requests by the second; with the client's own waits, seven tries last about as long as those at registries. */
const ATTEMPTS = 7;

/** A deployment asks hundreds of times, and one request that fails for good takes all of it back: with three in ten refused, that is one run in a thousand. */
const MORE_ATTEMPTS = 12;

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

/** Where a service is, and what sends to it; without its own endpoint the client knows that. */
function connection(world: AwsWorld, service: AwsService, region: string) {
  const endpoint = serviceEndpoint(world, service);
  return {
    region,
    maxAttempts: service === 'EC2' || service === 'SSM' ? MORE_ATTEMPTS : ATTEMPTS,
    requestHandler: createRequestHandler(world.fetch, world.signal),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** For what is asked only to learn why it is refused: the clients take a full repository for a limit of requests. */
export const ONE_TRY = { maxAttempts: 1 } as const;

/** Settings of a client of AWS's: where it sends, by what, and as whom. Throws UserError `input` for an endpoint that is no URL. */
export function clientSettings(world: AwsWorld, service: AwsService, region: string) {
  const { webIdentity } = world;
  const credentials = webIdentity
    ? webIdentityKeys(webIdentity, connection(world, 'STS', region), world.log)
    : keysOf(world);
  return { ...connection(world, service, region), ...(credentials === undefined ? {} : { credentials }) };
}
