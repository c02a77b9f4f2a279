import { openEcr } from '../aws/ecr.ts';
import type { EcrApi, EcrLogin, WebIdentity } from '../aws/ecr-api.ts';
import { type EcrRegistry, parseEcrHost } from '../aws/ecr-registry.ts';
import { LOOKED_AT } from '../aws/failure.ts';
import { LARGEST_LAYER, quotaOf } from '../aws/request-limits.ts';
import { batched } from '../core/batched.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import { ANONYMOUS, type Credential, type Keychain } from '../storage/registry/auth/credential.ts';
import { withLog } from '../storage/registry/fetch/with-log.ts';
import { type FindWays, type RegistryWays, USUAL_WAYS } from '../storage/registry/ways.ts';
import { renewing } from './renewing.ts';

const LOGIN_HINT =
  'In a workflow, give the input `aws-role`, or run aws-actions/configure-aws-credentials before; elsewhere set AWS_PROFILE, or log in with docker.';

/** Finds the interface of AWS's that belongs to a registry of theirs; undefined for every other host. */
export type FindEcr = (host: string) => Promise<EcrApi> | undefined;

/** The interfaces of a run, each opened once; `identify` says which role is assumed for a registry. */
export function ecrOf(
  { fetch, log, signal, env }: Pick<Host, 'fetch' | 'log' | 'signal' | 'env'>,
  identify: (registry: EcrRegistry) => WebIdentity | undefined = () => undefined,
): FindEcr {
  const opened = new Map<string, Promise<EcrApi>>();
  const world = { fetch: withLog(fetch, log, systemClock), log, signal, env };
  return (host) => {
    const registry = parseEcrHost(host);
    if (registry === undefined) return undefined;
    // A token is good for all accounts of a region, but dual-stack and FIPS names are other endpoints.
    const key = JSON.stringify(registry);
    const api = opened.get(key) ?? openEcr(registry, { ...world, webIdentity: identify(registry) });
    opened.set(key, api);
    return api;
  };
}

/**
 * Falls back to AWS's own credentials for AWS's registries, where the keychain knows none. Where they are asked for by an
 * input, what AWS refuses is an error everywhere.
 */
export function withEcr(keychain: Keychain, ecr: FindEcr, isAsked = false): Keychain {
  const logIn = renewing(async (host) => {
    const api = await ecr(host);
    return api ? ecrCredential(api, host, isAsked) : ANONYMOUS;
  });
  return {
    find: async (host, repository, ended) => {
      const known = await keychain.find(host, repository, ended);
      return known.kind === 'anonymous' && parseEcrHost(host) ? logIn(host, ended) : known;
    },
  };
}

async function ecrCredential(api: EcrApi, host: string, isAsked: boolean): Promise<Credential> {
  try {
    const login = await api.login();
    if (login) return asCredential(login, host);
    return {
      kind: 'anonymous',
      origin: `none: no login for it and no AWS credentials in ${LOOKED_AT}`,
      hint: LOGIN_HINT,
    };
  } catch (error) {
    const isOpen = !isAsked && parseEcrHost(host)?.kind === 'public';
    if (!isOpen || !(error instanceof UserError) || error.code !== 'credentials') throw error;
    // Everybody may read there: AWS credentials that are for something else must not keep anybody from it.
    return { kind: 'anonymous', origin: `none: ${error.message}`, hint: error.hint };
  }
}

const asCredential = ({ username, password, expires }: EcrLogin, host: string): Credential => ({
  kind: 'basic',
  username,
  password,
  origin: `a token of AWS for ${host}`,
  expires,
});

/**
 * The registries of AWS in their own ways: requests and layers within their quotas, mounts only where the account has them
 * switched on, and reasons that `/v2/` does not give. ECR Public does not answer HEAD of a blob, and copies none between
 * repositories, so its own interface says which blobs are there.
 */
export function ecrWays(ecr: FindEcr): FindWays {
  const mounting = new Map<string, Promise<boolean>>();
  return ({ host, repository }) => {
    const kind = parseEcrHost(host)?.kind;
    if (kind === undefined) return USUAL_WAYS;
    const quotas: Pick<RegistryWays, 'limitOf' | 'largestBlob' | 'store'> = {
      limitOf: (request) => quotaOf(kind, request),
      largestBlob: LARGEST_LAYER[kind],
      store: async (manifest, reference) => (await ecr(host))?.storeManifest(repository, manifest, reference) ?? false,
    };
    if (kind === 'private') {
      const mayMount = async (): Promise<boolean> => {
        const asked = mounting.get(host) ?? ecr(host)?.then((api) => api.mountsBlobs()) ?? Promise.resolve(true);
        mounting.set(host, asked);
        return asked;
      };
      return { ...USUAL_WAYS, ...quotas, mayMount };
    }
    let mayAsk = true;
    const ask = batched<string, boolean | undefined>(async (digests) => {
      const held = mayAsk ? await (await ecr(host))?.heldBlobs(repository, digests) : undefined;
      // Whoever may not ask once may not ask again.
      mayAsk = held !== undefined;
      return digests.map((digest) => held?.has(digest));
    });
    return { mounts: false, answersHead: false, lookUp: ask, ...quotas };
  };
}
