import { UserError } from '../core/error.ts';
import type { AwsWorld } from './ecr-api.ts';
import { createRequestHandler } from './request-handler.ts';
import { webIdentityKeys } from './web-identity.ts';

/** AWS limits requests by the second; with the client's own waits, seven tries last about as long as those at registries. */
const ATTEMPTS = 7;

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

/** As variables of endpoints name the services. */
type Service = 'ECR' | 'ECR_PUBLIC' | 'EC2' | 'SSM' | 'STS';

function endpointOf({ env }: AwsWorld, service: Service): string | undefined {
  const name = [`AWS_ENDPOINT_URL_${service}`, 'AWS_ENDPOINT_URL'].find((variable) => env(variable) !== undefined);
  const url = name === undefined ? undefined : env(name);
  if (url === undefined || /^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  throw new UserError('input', `${name}: ${JSON.stringify(url)} is not a URL`, {
    hint: 'Write it as https://HOST, or leave the variable out for the endpoint of AWS.',
  });
}

/** Where a service is, and what sends to it; without its own endpoint the client knows that. */
function connection(world: AwsWorld, service: Service, region: string) {
  const endpoint = endpointOf(world, service);
  return {
    region,
    maxAttempts: ATTEMPTS,
    requestHandler: createRequestHandler(world.fetch, world.signal),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** For what is asked only to learn why it is refused: the clients take a full repository for a limit of requests. */
export const ONE_TRY = { maxAttempts: 1 } as const;

/** Settings of a client of AWS's: where it sends, by what, and as whom. Throws UserError `input` for an endpoint that is no URL. */
export function clientSettings(world: AwsWorld, service: Service, region: string) {
  const { webIdentity } = world;
  const credentials = webIdentity
    ? webIdentityKeys(webIdentity, connection(world, 'STS', region), world.log)
    : keysOf(world);
  return { ...connection(world, service, region), ...(credentials === undefined ? {} : { credentials }) };
}
