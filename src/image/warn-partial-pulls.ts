import type { Log } from '../core/log.ts';
import { asChunked } from '../oci/chunked.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ImageDestination } from '../storage/destination.ts';
import type { Image } from './image.ts';
import type { SharedLayers } from './shared-layers.ts';

/**
 * What names of repositories at GHCR begin with. It redirects to a store that answers one range and refuses several with 501 "Unsupported client range"
 * (tuna-os/tunaOS issue 579); containers/image takes that for the end of the pull, and not for a reason to fetch the whole layer.
 */
const REFUSES_RANGES = 'docker://ghcr.io/';

/** The runs that have warned, by what their images share: systems and images of one run have one reason to change. */
const warned = new WeakSet<SharedLayers>();

type Named = Pick<ImageDestination, 'name'>;

interface Run {
  readonly shared: SharedLayers;
  readonly log: Pick<Log, 'warn'>;
}

/** Warns, once a run, of a destination from which a zstd:chunked image cannot be pulled by those for whom it is made. */
export function warnOfPartialPulls(
  { compression }: Pick<Image, 'compression'>,
  destinations: readonly Named[],
  run: Run,
): void {
  if (compression.name === 'zstd:chunked') warn(destinations, run);
}

/** The same for an image that was made before, by what it says of its layers. */
export function warnOfChunkedLayers(
  layers: readonly Pick<Descriptor, 'annotations'>[],
  destinations: readonly Named[],
  run: Run,
): void {
  if (layers.some(({ annotations }) => asChunked(annotations) !== undefined)) warn(destinations, run);
}

function warn(destinations: readonly Named[], { shared, log }: Run): void {
  const found = destinations.find(({ name }) => name.startsWith(REFUSES_RANGES));
  if (found === undefined || warned.has(shared)) return;
  warned.add(shared);
  log.warn(
    `${found.name}: podman and CRI-O cannot pull zstd:chunked from ghcr.io where enable_partial_images is set, since it refuses requests for several ranges; compression = "zstd" works everywhere (docs/compression.md#pulling-in-part)`,
  );
}
