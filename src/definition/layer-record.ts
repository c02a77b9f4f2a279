import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { parseRecord } from './base-record.ts';
import type { StorePathInfo } from './closure.ts';
import { type PlannedLayer, tarKey } from './layer.ts';
import { storeHash } from './store-path.ts';

/** What all annotations of the project's own begin with; reverse-DNS as the OCI image-spec asks (annotations.md). */
const PREFIX = 'io.nix-images.';

const ANNOTATION = {
  /** Names a layer's content whatever its codec: see layerKey. */
  layerKey: 'io.nix-images.layer.key',
  diffId: 'io.nix-images.layer.diff-id',
  unpackedSize: 'io.nix-images.layer.unpacked-size',
  /** The 32-character hashes of the layer's store paths, joined by spaces. */
  storeHashes: 'io.nix-images.layer.store-hashes',
  /** Bytes of those paths' NARs, in the same order. */
  storeSizes: 'io.nix-images.layer.store-sizes',
  /** On a manifest: how many of its layers, from the lowest, are those of its base. */
  inheritedLayers: 'io.nix-images.image.inherited-layers',
  /** What of the image's base its layers depend on: see BaseRecord. On the last layer. */
  base: 'io.nix-images.layer.base',
} as const;

export interface LayerRecord {
  readonly key: string;
  readonly diffId: Digest;
  readonly unpackedSize: number;
  readonly storeHashes: readonly string[];
  /** Bytes of their NARs, in the same order; layers of before 0.2 do not say them. */
  readonly storeSizes?: readonly number[] | undefined;
  /** The text of a BaseRecord, on the last layer over a base. */
  readonly base?: string | undefined;
}

const storePathsOf = (layer: PlannedLayer): readonly StorePathInfo[] => (layer.kind === 'store' ? layer.paths : []);

/** What a layer's descriptor says about its content, so that a later push can take the layer over unread. */
export function layerAnnotations(record: LayerRecord): Record<string, string> {
  return {
    [ANNOTATION.layerKey]: record.key,
    [ANNOTATION.diffId]: record.diffId,
    [ANNOTATION.unpackedSize]: String(record.unpackedSize),
    ...(record.storeHashes.length > 0 ? { [ANNOTATION.storeHashes]: record.storeHashes.join(' ') } : {}),
    ...(record.storeSizes?.length ? { [ANNOTATION.storeSizes]: record.storeSizes.join(' ') } : {}),
    ...(record.base === undefined ? {} : { [ANNOTATION.base]: record.base }),
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
  const base = rest[ANNOTATION.base];
  const sizes = (rest[ANNOTATION.storeSizes] ?? '').split(' ');
  const areSizes = sizes.length === storeHashes.length && sizes.every((size) => /^\d{1,15}$/.test(size));
  return {
    key,
    diffId,
    unpackedSize: Number(unpackedSize),
    storeHashes,
    ...(areSizes ? { storeSizes: sizes.map(Number) } : {}),
    ...(base !== undefined && parseRecord(base) ? { base } : {}),
  };
}

/**
 * Annotations of another maker's image or layer, without those that only this project may write: they would be read back
 * as its own. All others stay as they are, because they may be needed (eStargz keeps the digest of its index there).
 */
export const withoutOwn = (annotations: Readonly<Record<string, string>> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => !name.startsWith(PREFIX)));

/** What a manifest says of its layers: the lowest `count` of them are its base's. */
export const inheritedAnnotation = (count: number): Record<string, string> => ({
  [ANNOTATION.inheritedLayers]: String(count),
});

/**
 * The records of a manifest's layers, in their order. Of a base's layers only those have one that were compressed when the
 * image was made: `withoutOwn` saw to it that nothing else there is of this project. No layer of an image that does not
 * say which are its own has any.
 */
export function ownLayerRecords({ annotations, layers }: ImageManifest): (LayerRecord | undefined)[] {
  const inherited = annotations?.[ANNOTATION.inheritedLayers] ?? '';
  if (!/^\d{1,4}$/.test(inherited)) return layers.map(() => undefined);
  return layers.map((layer, at) => {
    const record = layerRecord(layer);
    return at >= Number(inherited) || record?.key === (record && tarKey(record.diffId)) ? record : undefined;
  });
}

/** The record of a layer of a definition, of which a tar was made. */
export const describeLayer = (
  layer: PlannedLayer,
  key: string,
  written: { diffId: Digest; unpackedSize: number; base?: string | undefined },
): LayerRecord => ({
  key,
  diffId: written.diffId,
  unpackedSize: written.unpackedSize,
  storeHashes: storePathsOf(layer).map((info) => storeHash(info.path)),
  storeSizes: storePathsOf(layer).map((info) => info.narSize),
  base: layer.kind === 'store' ? layer.base : written.base,
});
