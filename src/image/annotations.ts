import type { StorePathInfo } from './closure.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, isDigest } from './digest.ts';
import type { Layer } from './layer.ts';
import { storeHash } from './store-path.ts';

/** Annotations of the project's own; reverse-DNS as the OCI image-spec asks (annotations.md). */
const ANNOTATION = {
  /** Names a layer's content whatever its codec: see layerKey. */
  layerKey: 'io.nix-images.layer.key',
  diffId: 'io.nix-images.layer.diff-id',
  unpackedSize: 'io.nix-images.layer.unpacked-size',
  /** The 32-character hashes of the layer's store paths, joined by spaces. */
  storeHashes: 'io.nix-images.layer.store-hashes',
} as const;

export interface LayerRecord {
  readonly key: string;
  readonly diffId: Digest;
  readonly unpackedSize: number;
  readonly storeHashes: readonly string[];
}

export const storePathsOf = (layer: Layer): readonly StorePathInfo[] => (layer.kind === 'store' ? layer.paths : []);

/** What a layer's descriptor says about its content, so that a later push can take the layer over unread. */
export function layerAnnotations(record: LayerRecord): Record<string, string> {
  return {
    [ANNOTATION.layerKey]: record.key,
    [ANNOTATION.diffId]: record.diffId,
    [ANNOTATION.unpackedSize]: String(record.unpackedSize),
    ...(record.storeHashes.length > 0 ? { [ANNOTATION.storeHashes]: record.storeHashes.join(' ') } : {}),
  };
}

/** The record in a descriptor's annotations; undefined where it is missing or not legal (another maker's layer). */
export function layerRecord(descriptor: Descriptor): LayerRecord | undefined {
  const { [ANNOTATION.layerKey]: key, [ANNOTATION.diffId]: diffId, ...rest } = descriptor.annotations ?? {};
  const unpackedSize = rest[ANNOTATION.unpackedSize] ?? '';
  // Fifteen digits are a safe integer.
  if (!key || !/^[0-9a-f]{64}$/.test(key) || !diffId || !isDigest(diffId) || !/^\d{1,15}$/.test(unpackedSize))
    return undefined;
  const storeHashes = (rest[ANNOTATION.storeHashes] ?? '').split(' ').filter((hash) => /^[0-9a-z]{32}$/.test(hash));
  return { key, diffId, unpackedSize: Number(unpackedSize), storeHashes };
}

export const recordOf = (
  layer: Layer,
  key: string,
  written: { diffId: Digest; unpackedSize: number },
): LayerRecord => ({
  key,
  diffId: written.diffId,
  unpackedSize: written.unpackedSize,
  storeHashes: storePathsOf(layer).map((info) => storeHash(info.path)),
});
