import { type LayerRecord, ownLayerRecords } from '../definition/layer-record.ts';
import { storePathsIn } from '../definition/layer-words.ts';
import { storeHash } from '../definition/store-path.ts';
import type { History, ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDigest } from '../oci/digest.ts';
import { isDisk } from '../oci/disk-artifact.ts';
import { layerCompression } from '../oci/layer-compression.ts';
import { isIndexType } from '../oci/media-type.ts';
import { isImageEntry, normalisePlatform } from '../oci/platform.ts';
import { parseImageManifest, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import { platformText } from '../oci/system.ts';
import { readConfig } from '../storage/read-config.ts';
import { namedManifest } from '../storage/read-tag.ts';
import type { ImageSource } from '../storage/source.ts';
import { inspectDisk } from './inspect-disk.ts';
import type { InspectedImage, InspectedLayer, Inspection } from './inspected.ts';

/** Reads an index or a single image with everything that can be said of it without its layers. Throws UserError. */
export async function inspectImage(source: ImageSource, reference: string): Promise<Inspection> {
  const stored = await namedManifest(source, reference);
  const where = referenceText(source.name, reference);
  const common = { reference: where, mediaType: stored.mediaType, digest: stored.digest };
  if (!isIndexType(stored.mediaType)) {
    const image = await inspectOne(source, stored, where);
    return { ...common, annotations: image.annotations, images: [image.image] };
  }
  const index = parseIndex(stored, where);
  const images: InspectedImage[] = [];
  for (const child of index.manifests.filter(isImageEntry)) {
    images.push(
      (await inspectOne(source, await namedManifest(source, child.digest), `${where}, ${child.digest}`)).image,
    );
  }
  return { ...common, annotations: index.annotations ?? {}, images };
}

/** As a person writes it: in a layout or archive, the only image has no name. */
function referenceText(name: string, reference: string): string {
  if (!isDigest(reference)) return `${name}:${reference}`;
  return name.startsWith('docker://') ? `${name}@${reference}` : name;
}

async function inspectOne(source: ImageSource, stored: StoredManifest, where: string) {
  const manifest = parseImageManifest(stored, where);
  const { annotations = {} } = manifest;
  if (isDisk(manifest)) {
    return { image: { ...(await inspectDisk(source, manifest, where)), digest: stored.digest }, annotations };
  }
  const config = await readConfig(source, manifest.config, where);
  const history = layerHistory(config);
  const records = ownLayerRecords(manifest);
  const image: InspectedImage = {
    platform: platformText(normalisePlatform(config)),
    digest: stored.digest,
    config: config.config ?? {},
    layers: manifest.layers.map((layer, at) => inspectLayer(layer, records[at], history[at])),
  };
  return { image, annotations };
}

/** History entries that made a layer, in the layers' order. */
const layerHistory = (config: ImageConfig): History[] => (config.history ?? []).filter((entry) => !entry.empty_layer);

function inspectLayer(
  layer: Descriptor,
  record: LayerRecord | undefined,
  history: History | undefined,
): InspectedLayer {
  const named = storePathsIn(history);
  const hashes = new Set(record?.storeHashes ?? []);
  // The annotation is what counts; the history only adds names to its hashes.
  const storePaths = record ? named.filter((path) => hashes.has(storeHash(path))) : named;
  return {
    digest: layer.digest,
    mediaType: layer.mediaType,
    compression: layerCompression(layer),
    size: layer.size,
    unpackedSize: record?.unpackedSize ?? null,
    key: record?.key ?? null,
    storePaths,
    storeSizes: storePaths.map((path) => sizeOf(record, path)),
    comment: storePaths.length === 0 ? (history?.comment ?? history?.created_by ?? null) : null,
  };
}

function sizeOf(record: LayerRecord | undefined, path: string): number | null {
  const at = record?.storeHashes.indexOf(storeHash(path)) ?? -1;
  return record?.storeSizes?.[at] ?? null;
}
