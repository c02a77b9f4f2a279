import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { ImageDestination } from './destination.ts';
import { NESTING_LIMIT } from './image-for-system.ts';
import type { ImageSource } from './source.ts';

/** For a blob of at least `size` bytes where `name` takes `limit` at most; `what` says which it is. */
export const tooLargeBlob = (what: string, size: number, { name, limit }: { name: string; limit: number }): UserError =>
  new UserError('registry', `${what} has ${sizeText(size)}, and ${name} takes ${sizeText(limit)} a layer at most`, {
    hint: 'Spread the content over more layers (maxLayers in the definition), or publish to another registry.',
  });

/** Throws UserError `registry` where a blob, whose size is known, is larger than a destination takes: before anything is sent. */
export function checkSizes(
  blobs: readonly { readonly digest: string; readonly size: number }[],
  destinations: readonly Pick<ImageDestination, 'name' | 'largestBlob'>[],
): void {
  for (const { name, largestBlob: limit } of destinations) {
    if (limit === undefined) continue;
    const large = blobs.find(({ size }) => size > limit);
    if (large) throw tooLargeBlob(`the layer ${large.digest}`, large.size, { name, limit });
  }
}

/** The same for all layers of an image or index, whose manifests are read only where a destination has a limit. */
export async function checkSizesIn(
  root: StoredManifest,
  source: ImageSource,
  destinations: readonly Pick<ImageDestination, 'name' | 'largestBlob'>[],
): Promise<void> {
  if (destinations.every(({ largestBlob }) => largestBlob === undefined)) return;
  const check = async (manifest: StoredManifest, depth: number): Promise<void> => {
    const content = parseManifest(manifest);
    if (content.kind === 'image') return checkSizes(content.layers, destinations);
    if (depth === NESTING_LIMIT) return;
    for (const { digest, mediaType } of content.manifests) {
      if (!isIndexType(mediaType) && !isManifestType(mediaType)) continue;
      const child = await source.getManifest(digest);
      if (child) await check(child, depth + 1);
    }
  };
  await check(root, 0);
}
