import type { Log } from '../../core/log.ts';
import { isManifestType } from '../../oci/media-type.ts';
import { isChunked } from '../../oci/read-chunked.ts';
import { parseImageManifest, type StoredManifest } from '../../oci/read-manifest.ts';
import { hostAliases } from './endpoint.ts';

/**
 * Registries from which clients that pull in part cannot pull zstd:chunked at all: a request for several ranges is answered with an error that
 * containers/image takes for the end of the pull, and not for a reason to fetch the whole layer. GHCR redirects to a store that says 501 "Unsupported
 * client range" (tuna-os/tunaOS issue 579).
 */
const REFUSING: readonly string[] = ['ghcr.io'].flatMap(hostAliases);

/** Warns of registries from which what is sent there cannot be pulled in part; of each once, whatever is sent. */
export class PartialPulls {
  readonly #log: Pick<Log, 'warn'>;
  readonly #told = new Set<string>();

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log;
  }

  /** To be told of each manifest that is sent to the registry `host`. */
  sends(manifest: StoredManifest, host: string): void {
    if (!REFUSING.includes(host) || !isManifestType(manifest.mediaType)) return;
    const { layers } = parseImageManifest(manifest);
    if (layers.some(({ annotations }) => isChunked(annotations))) this.expect(host);
  }

  /** To be told where zstd:chunked is going to be sent. */
  expect(host: string): void {
    const [name = host] = hostAliases(host).slice(-1);
    if (!REFUSING.includes(host) || this.#told.has(name)) return;
    this.#told.add(name);
    this.#log.warn(
      `podman and CRI-O cannot pull zstd:chunked from ${host} where enable_partial_images is set, since it refuses requests for several ranges; compression = "zstd" has them pull whole layers (docs/compression.md#pulling-in-part)`,
    );
  }
}
