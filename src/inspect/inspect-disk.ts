import { isStorePath } from '../definition/store-path.ts';
import { decodePositions, FS_BLOCK, type Placed } from '../erofs/positions.ts';
import { type DiskChunk, diskLayers } from '../oci/disk-artifact.ts';
import { layerCompression } from '../oci/layer-compression.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { normalisePlatform } from '../oci/platform.ts';
import { platformText } from '../oci/system.ts';
import { positionsBytes, readDiskConfig } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';
import type { InspectedImage, InspectedLayer } from './inspected.ts';

const STORE = '/nix/store/';

/** What can be said of a disk without its chunks: of its layers only the positions are read. Throws UserError. */
export async function inspectDisk(
  source: ImageSource,
  manifest: ImageManifest,
  where: string,
): Promise<Omit<InspectedImage, 'digest'>> {
  const config = await readDiskConfig(source, manifest.config, where);
  const { chunks, positions } = diskLayers(manifest, where);
  const { size, identity, bootMode, partitions, storeOffset } = config;
  const placed =
    positions === undefined
      ? []
      : decodePositions(await positionsBytes(source, positions), `${where}, its positions`).paths;
  const pathsIn = (chunk: DiskChunk): Placed[] =>
    placed.filter(({ path, block }) => {
      const offset = (storeOffset ?? 0) + block * FS_BLOCK;
      return isStorePath(STORE + path) && offset >= chunk.offset && offset < chunk.offset + chunk.length;
    });
  const byDigest = new Map(chunks.map((chunk) => [chunk.descriptor, chunk]));
  return {
    platform: platformText(normalisePlatform(config)),
    config: {},
    disk: {
      ...{ size, identity, bootMode, chunks: chunks.length },
      dataBytes: chunks.reduce((sum, { length }) => sum + length, 0),
      partitions: partitions.map(({ name, offset, length }) => ({ name, offset, length })),
    },
    layers: manifest.layers.map((layer): InspectedLayer => {
      const chunk = byDigest.get(layer);
      const paths = chunk ? pathsIn(chunk) : [];
      const what = chunk ? `bytes ${chunk.offset} to ${chunk.offset + chunk.length}` : layer.mediaType;
      return {
        ...{ digest: layer.digest, mediaType: layer.mediaType, size: layer.size, key: null },
        compression: layerCompression(layer),
        unpackedSize: chunk?.length ?? layer.size,
        storePaths: paths.map(({ path }) => STORE + path),
        storeSizes: paths.map(({ blocks }) => blocks * FS_BLOCK),
        comment: what,
      };
    }),
  };
}
