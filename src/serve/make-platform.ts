import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { onFirstUse } from '../core/on-first-use.ts';
import { mapParallel } from '../core/parallel.ts';
import { keyAnnotation } from '../definition/image-key.ts';
import { inheritedAnnotation, layerAnnotations } from '../definition/layer-record.ts';
import { type RealiseTools, realiseImage } from '../image/build-and-test.ts';
import type { Image } from '../image/image.ts';
import { NO_JOURNAL } from '../image/journal.ts';
import { type Layer, type LayerTree, MEDIA_TYPES, type TreeLayer } from '../image/layer.ts';
import { NOTHING_PREVIOUS } from '../image/previous-image.ts';
import { createReuse } from '../image/reuse.ts';
import { keyOf } from '../image/send-layer.ts';
import { layerTitle } from '../image/watch-layer.ts';
import { inBlocks } from '../layer/blocks.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import type { Evaluated } from '../nix/found-image.ts';
import { realiseHere } from '../nix/realise.ts';
import { CREATED } from '../oci/config.ts';
import { containerConfigSchema } from '../oci/container-config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { FreshHashes } from './fresh-hashes.ts';
import { hashBytes, hashLayers, isUnnamed } from './hash-layers.ts';
import { SERVED_BLOCK, skippedBytes, treeBytes } from './layer-bytes.ts';
import type { LayerMemory } from './layer-memory.ts';
import type { ServedBlob, ServedPlatform } from './served-image.ts';

export interface PlatformTools extends RealiseTools {
  readonly memory: LayerMemory;
  readonly fresh: FreshHashes;
  readonly openWriter: () => LayerWriter;
}

interface NamedLayer {
  readonly blob: ServedBlob;
  readonly diffId: Digest;
}

/**
 * Has Nix build an image for one system and names its layers, so that they can be served; its store paths are kept from the garbage
 * collector until it is closed. Throws UserError as Nix, the definition and the store give reason to.
 */
export async function makePlatform(evaluated: Evaluated, tools: PlatformTools): Promise<ServedPlatform> {
  const { name, system } = evaluated;
  const { nix, memory, log, tempDir } = tools;
  const gcRootDir = await mkdtemp(join(tempDir, 'roots-'));
  const plan = `${name} ${system}`;
  const open = await log.group(`Realising ${name} for ${system}`, async () => {
    // Layers are read again whenever they are asked for, so all of it is to be here.
    if (evaluated.kind === 'definition') await realiseHere(nix, evaluated.definition.roots, { gcRootDir });
    return realiseImage(evaluated, gcRootDir, tools);
  });
  const previous = { ...NOTHING_PREVIOUS, groups: memory.groupsOf(plan), bases: memory.bases() };
  const image = await open(createReuse(previous, NO_JOURNAL));
  try {
    const { platform, groups } = await nameLayers(image, name, tools);
    await memory.keepGroups(plan, groups);
    return platform;
  } catch (error) {
    await image.close();
    throw error;
  }
}

/** The platform, and which paths stand together in its layers. */
async function nameLayers(
  image: Image,
  name: string,
  tools: PlatformTools,
): Promise<{ readonly platform: ServedPlatform; readonly groups: readonly (readonly string[])[] }> {
  const { system, key, annotations } = image;
  const trees = openedTrees(image);
  let damaged = false;
  const unnamed = image.layers.filter(isUnnamed);
  const heading = `Reading the layers of ${name} for ${system}`;
  const tars = await hashLayers(unnamed, heading, { ...tools, openTree: trees.open });
  const onDamage = async (key: string): Promise<void> => {
    damaged = true;
    await tools.memory.forget(key);
  };
  const groups: (readonly string[])[] = [];
  const layers = await mapParallel(image.layers, 1, async (layer): Promise<NamedLayer> => {
    if (!isUnnamed(layer)) return asItLies(layer);
    const found = tars.get(keyOf(layer));
    if (!found) throw new Error(`${layer.label} was not read`);
    const { diffId, unpackedSize: size } = found;
    const title = layerTitle(layer);
    const named = { mediaType: MEDIA_TYPE.layer, digest: diffId, size };
    if (layer.kind === 'stream')
      return {
        diffId,
        blob: {
          descriptor: named,
          title,
          open: (from) => skippedBytes(() => inBlocks(layer.read(), SERVED_BLOCK), from),
        },
      };
    const record = layer.record(found);
    if (record.storeHashes.length > 0) groups.push(record.storeHashes);
    const descriptor = { ...named, annotations: layerAnnotations(record) };
    const tree = { open: () => trees.open(layer), descriptor, fresh: tools.fresh, onDamage: () => onDamage(layer.key) };
    return { diffId, blob: { descriptor, title, open: (from) => treeBytes(tree, from) } };
  });
  const diffIds = layers.map(({ diffId }) => diffId);
  const config = documentBlob(MEDIA_TYPE.config, image.config({ diffIds, created: CREATED }));
  const blobs = [config, ...layers.map(({ blob }) => blob)];
  const bytes = manifestBytes(
    config.descriptor,
    layers.map(({ blob }) => blob.descriptor),
    { ...annotations, ...keyAnnotation(key), ...inheritedAnnotation(image.inherited) },
  );
  const platform: ServedPlatform = {
    system,
    key,
    manifest: { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) },
    configDigest: config.descriptor.digest,
    config: containerIn(config.bytes),
    layers: layers.map(({ blob }) => blob.descriptor.digest),
    blobs: new Map(blobs.map((blob) => [blob.descriptor.digest, blob])),
    isDamaged: () => damaged,
    close: async () => {
      await trees.close();
      await image.close();
    },
  };
  return { platform, groups };
}

/**
 * Opens layers when they are read; all are got ready when the first is, and where every digest is known none may ever be. The merged root
 * is put together once, and stays.
 */
function openedTrees(image: Image) {
  const prepare = onFirstUse(async () => image.prepare?.(image.layers));
  const kept: LayerTree[] = [];
  const open = async (layer: TreeLayer): Promise<LayerTree> => {
    await prepare();
    const tree = await layer.open();
    if (tree.content.kind === 'store') return tree;
    kept.push(tree);
    return { ...tree, close: async () => {} };
  };
  return { open, close: async () => void (await Promise.all(kept.map((tree) => tree.close()))) };
}

/** A layer whose bytes lie somewhere: a base's, or of another tool. */
async function asItLies(layer: Exclude<Layer, { kind: 'tree' }>): Promise<NamedLayer> {
  const { diffId } = layer;
  const title = layerTitle(layer);
  if (layer.kind === 'blob') {
    const { descriptor, from: source } = layer;
    return {
      diffId,
      blob: { descriptor, title, open: (from) => skippedBytes(() => source.readBlob(descriptor), from) },
    };
  }
  const { encoding, read } = layer;
  // A list of layers gives packed files no digest that could be believed.
  const { digest, size } = layer.descriptor ?? (await hashBytes(read()));
  return {
    diffId,
    blob: {
      descriptor: { mediaType: MEDIA_TYPES[encoding], digest, size },
      title,
      open: (from) => skippedBytes(read, from),
    },
  };
}

/** What of a config is needed to start a container; another tool's may hold what is not known here. */
const containerSchema = z.looseObject({
  config: containerConfigSchema
    .pick({ Entrypoint: true, Cmd: true, ExposedPorts: true, Volumes: true })
    .loose()
    .nullish(),
});

function containerIn(bytes: Uint8Array): ServedPlatform['config'] {
  const read = tryDecodeJson(Buffer.from(bytes).toString(), containerSchema);
  const { Entrypoint, Cmd, ExposedPorts = {}, Volumes = {} } = read?.config ?? {};
  const hasCommand = read === undefined || [Entrypoint, Cmd].some((words) => words && words.length > 0);
  return { hasCommand, ExposedPorts, Volumes };
}

const documentBlob = (mediaType: string, bytes: Uint8Array): ServedBlob & { readonly bytes: Uint8Array } => ({
  bytes,
  title: 'config',
  descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } satisfies Descriptor,
  open: (from) => ({ chunks: [bytes.subarray(from)] }),
});
