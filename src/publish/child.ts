import { layerRecord } from '../image/annotations.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { type ImageManifest, manifestSchema } from '../image/manifest.ts';
import { platformOf, type System } from '../image/system.ts';
import { parseJson } from '../io/json.ts';
import type { Repository, StoredManifest } from '../registry/repository.ts';

/** One platform's image on its way into an index. */
export interface Child {
  readonly system: System;
  readonly manifest: StoredManifest;
  readonly parsed: ImageManifest;
  /** Where it came from, for messages: a handover's folder, an installable. */
  readonly origin: string;
  /** Where manifest and config can be read; undefined when the destinations have everything already. */
  readonly manifestSource: Repository | undefined;
  /** Where the layers can be read. */
  readonly layerSource: Repository | undefined;
  /** Bytes sent for it so far, over all destinations. */
  readonly bytesSent: number;
}

export const parseManifest = (manifest: StoredManifest, what: string): ImageManifest =>
  parseJson(manifest.bytes, manifestSchema, what);

/** The entry of a child in its index. */
export const indexEntry = (child: Child): Descriptor => ({
  mediaType: child.manifest.mediaType,
  digest: child.manifest.digest,
  size: child.manifest.bytes.length,
  platform: platformOf(child.system),
});

/** Bytes of all layers as they are sent. */
export const compressedSize = (manifest: ImageManifest): number =>
  manifest.layers.reduce((sum, layer) => sum + layer.size, 0);

/** Bytes of all layers as tar; undefined when one of them (a base's) does not say. */
export function unpackedSize(manifest: ImageManifest): number | undefined {
  let sum = 0;
  for (const layer of manifest.layers) {
    const record = layerRecord(layer);
    if (!record) return undefined;
    sum += record.unpackedSize;
  }
  return sum;
}
