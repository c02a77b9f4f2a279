import type { Reference } from '../../oci/reference.ts';
import type { RequestLimit } from './fetch/request-rate.ts';
import type { RegistryRequest } from './send.ts';

/** What a registry does in its own way, as far as it is known before anything is asked. */
export interface RegistryWays {
  /** Whether it copies blobs between its repositories when asked to; asking one that does not costs a request for each. */
  readonly mounts: boolean;
  /** Whether HEAD says if a blob is there; otherwise the start of a GET does. */
  readonly answersHead: boolean;
  /** Looks a blob up by another interface than `/v2/`; undefined where that cannot be asked. */
  lookUp?(digest: string): Promise<boolean | undefined>;
  /** The limit that a request counts against; undefined for none that is known. */
  limitOf?(request: Pick<RegistryRequest, 'method' | 'url'>): RequestLimit | undefined;
}

/** What distribution-spec promises. */
export const USUAL_WAYS: RegistryWays = { mounts: true, answersHead: true };

/** The ways of the registry that holds a repository. */
export type FindWays = (reference: Pick<Reference, 'host' | 'repository'>) => RegistryWays;
