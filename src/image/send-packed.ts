import { createHash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import type { WrittenLayer } from '../layer/write-layer.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import type { ImageDestination } from '../storage/destination.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { type Encoding, MEDIA_TYPES } from './encoding.ts';
import type { ForeignLayer } from './foreign-image.ts';
import { unpackedDigest } from './unpacked-digest.ts';

/**
 * Sends a packed layer as it is, in one pass, to those repositories that lack it, unpacking it beside to learn its diffID.
 * Nothing is kept of a layer that turns out to be damaged or another than promised. Throws UserError `digest` or `file`.
 */
export async function sendPacked(
  layer: ForeignLayer,
  encoding: Exclude<Encoding, 'tar'>,
  repositories: readonly ImageDestination[],
  signal: AbortSignal,
): Promise<WrittenLayer> {
  const lacking: ImageDestination[] = [];
  for (const repository of repositories) {
    const there =
      layer.descriptor && (await repository.hasBlob({ ...layer.descriptor, mediaType: MEDIA_TYPES[encoding] }));
    if (!there) lacking.push(repository);
  }
  return sendBlob(async (sink) => {
    const hash = createHash('sha256');
    const unpacked = unpackedDigest(encoding, layer.name);
    let size = 0;
    for await (const chunk of layer.read()) {
      signal.throwIfAborted();
      hash.update(chunk);
      size += chunk.length;
      await unpacked.write(chunk).catch(damaged(layer, encoding));
      await sink(chunk);
    }
    const { diffId, unpackedSize } = await unpacked.end().catch(damaged(layer, encoding));
    checkDiffId(layer, diffId);
    return { mediaType: MEDIA_TYPES[encoding], digest: endDigest(hash), size, diffId, unpackedSize };
  }, lacking);
}

/** Throws UserError `digest` unless the layer is what its image says. */
export function checkDiffId(layer: ForeignLayer, diffId: Digest): void {
  if (diffId === layer.diffId) return;
  throw new UserError('digest', `${layer.name} is ${diffId}, but the image says ${layer.diffId}`, {
    hint: 'The image is damaged, or a store path of it was changed after it was built: build it again.',
  });
}

const damaged =
  (layer: ForeignLayer, encoding: Encoding) =>
  (cause: unknown): never => {
    if (cause instanceof UserError) throw cause;
    throw new UserError(
      'file',
      `${layer.name} cannot be unpacked as ${encoding}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { hint: 'The layer is damaged or cut off: build the image again.', cause },
    );
  };
