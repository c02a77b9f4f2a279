import { createHash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import type { Sink, WrittenLayer } from '../layer/write-layer.ts';
import { endDigest } from '../oci/digest.ts';
import { type Encoding, MEDIA_TYPES, type StreamLayer } from './layer.ts';
import { unpackedDigest } from './unpacked-digest.ts';

/**
 * Passes a packed layer on as it is, in one pass, unpacking it beside to learn its diffID. Throws UserError `file` for one
 * that is damaged.
 */
export async function passPacked(
  layer: StreamLayer,
  encoding: Exclude<Encoding, 'tar'>,
  sink: Sink,
  signal: AbortSignal,
): Promise<WrittenLayer> {
  const hash = createHash('sha256');
  const unpacked = unpackedDigest(encoding, layer.label);
  let size = 0;
  for await (const chunk of layer.read()) {
    signal.throwIfAborted();
    hash.update(chunk);
    size += chunk.length;
    await unpacked.write(chunk).catch(damaged(layer, encoding));
    await sink(chunk, size);
  }
  const { diffId, unpackedSize } = await unpacked.end().catch(damaged(layer, encoding));
  return { mediaType: MEDIA_TYPES[encoding], digest: endDigest(hash), size, diffId, unpackedSize };
}

const damaged =
  (layer: StreamLayer, encoding: Encoding) =>
  (cause: unknown): never => {
    if (cause instanceof UserError) throw cause;
    throw new UserError(
      'file',
      `${layer.label} cannot be unpacked as ${encoding}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { hint: 'The layer is damaged or cut off: build the image again.', cause },
    );
  };
