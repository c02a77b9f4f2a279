import type { Log } from '../core/log.ts';
import type { ImageDestination } from '../storage/destination.ts';
import type { Image } from './image.ts';

/**
 * What names of repositories at GHCR begin with. It redirects to a store that answers one range and refuses several with 501 "Unsupported client range"
 * (tuna-os/tunaOS issue 579); containers/image takes that for the end of the pull, and not for a reason to fetch the whole layer.
 */
const REFUSES_RANGES = 'docker://ghcr.io/';

/** Warns of destinations from which a zstd:chunked image cannot be pulled by those for whom it is made. */
export function warnOfPartialPulls(
  { compression }: Pick<Image, 'compression'>,
  destinations: readonly Pick<ImageDestination, 'name'>[],
  log: Pick<Log, 'warn'>,
): void {
  if (compression.name !== 'zstd:chunked') return;
  for (const { name } of destinations.filter((destination) => destination.name.startsWith(REFUSES_RANGES)))
    log.warn(
      `${name}: podman and CRI-O cannot pull zstd:chunked from ghcr.io where enable_partial_images is set, since it refuses requests for several ranges; compression = "zstd" works everywhere`,
    );
}
