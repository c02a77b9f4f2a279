import type { StoredManifest } from '../../oci/read-manifest.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RequestLimit } from './fetch/request-rate.ts';
import type { RegistryRequest } from './send.ts';

/** What a registry does in its own way, as far as it is known before anything is asked. */
export interface RegistryWays {
  /** Whether it copies blobs between its repositories when asked to; asking one that does not costs a request for each. */
  readonly mounts: boolean;
  /** Whether it would mount now, where that is a setting; asked before the first one. */
  mayMount?(): Promise<boolean>;
  /** Bytes of the largest blob that it takes, where that is known. */
  readonly largestBlob?: number;
  /**
   * Stores a manifest, under a tag or its digest, that was refused with 403 or 405 and without a reason, by another interface than
   * `/v2/`. False where that cannot be asked; throws UserError that says why it is refused.
   */
  store?(manifest: StoredManifest, reference: string): Promise<boolean>;
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
