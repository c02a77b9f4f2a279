import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { canonicalJson, type Json } from '../../src/core/canonical-json.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { LayoutImage } from './layout.ts';

const fileName = (digest: Digest): string => digest.replace(/^sha256:/, '');

/**
 * Makes a `dir:` layout (containers/image, docs/containers-transports.5) with the layers of `image`, which are gzip, as plain
 * tars. Layers that versions share are files in `pool`, unpacked once and linked.
 */
export async function uncompressedLayers(image: LayoutImage, pool: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  await mkdir(pool, { recursive: true });
  const layers: Json[] = [];
  for (const [at, layer] of image.manifest.layers.entries()) {
    const digest = image.diffIds[at];
    if (digest === undefined) throw new Error('a config must name every layer');
    const file = join(pool, fileName(digest));
    const size = await unpackOnce(image.blob(layer.digest), file);
    await link(file, join(target, fileName(digest)));
    layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size });
  }
  const { config } = image.manifest;
  await copyFile(image.blob(config.digest), join(target, fileName(config.digest)));
  const { mediaType, digest, size } = config;
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType, digest, size },
    layers,
  };
  await writeFile(join(target, 'manifest.json'), canonicalJson(manifest));
  await writeFile(join(target, 'version'), 'Directory Transport Version: 1.1\n');
}

async function unpackOnce(source: string, target: string): Promise<number> {
  const there = await stat(target).catch(() => undefined);
  if (there) return there.size;
  const draft = `${target}.draft`;
  await pipeline(createReadStream(source), createGunzip(), createWriteStream(draft));
  await rename(draft, target);
  return (await stat(target)).size;
}
