import { layerAnnotations, recordOf, storePathsOf } from '../image/annotations.ts';
import { canonicalJson } from '../image/canonical-json.ts';
import type { Closure } from '../image/closure.ts';
import type { Definition } from '../image/definition.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import { type History, historyEntry, imageConfigBytes } from '../image/image-config.ts';
import { type Layer, layerKey, rootLayer } from '../image/layer.ts';
import { layerBudget, planLayers } from '../image/layer-plan.ts';
import { manifestBytes } from '../image/manifest.ts';
import { MEDIA_TYPE } from '../image/media-type.ts';
import { assembleRoot } from '../image/root.ts';
import { platformOf, type System } from '../image/system.ts';
import { MODE } from '../image/tar-profile.ts';
import { UserError } from '../io/error.ts';
import type { Log } from '../io/log.ts';
import { mapParallel } from '../io/parallel.ts';
import { inBlocks } from '../layer/blocks.ts';
import { codecOf } from '../layer/codec.ts';
import { rootLayerEntries, storeLayerEntries } from '../layer/entries.ts';
import { nixDatabase } from '../layer/nix-database.ts';
import { storeTree } from '../layer/store-tree.ts';
import { STREAM_BLOCK, tarStream } from '../layer/tar-stream.ts';
import { copyBlob } from '../registry/copy.ts';
import type { Repository, StoredManifest } from '../registry/repository.ts';
import type { BaseImage } from './base-image.ts';
import { pushLayer } from './push-layer.ts';

/**
 * Layers under way at once. One reads and hashes while the others wait for the compressor or the network; more than
 * three only take memory.
 */
const LAYERS_AT_ONCE = 3;

export interface ImageRequest {
  readonly definition: Definition;
  readonly system: System;
  /** Every store path of the image, all of them in the local store. */
  readonly closure: Closure;
  readonly base: BaseImage | undefined;
  /** Where the layers go. */
  readonly repositories: readonly Repository[];
  readonly tempDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface BuiltImage {
  readonly system: System;
  readonly manifest: StoredManifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
  readonly layers: readonly Descriptor[];
}

interface PreparedLayer {
  readonly layer: Layer;
  readonly tar: () => AsyncIterable<Uint8Array>;
}

interface PushedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly history: History;
}

/**
 * Makes the layers of one image for one system and stores them, its config and its manifest (by digest, under no
 * tag) in every repository. Throws UserError for what the definition, the store or a repository does wrong.
 */
export async function buildImage(request: ImageRequest): Promise<BuiltImage> {
  const { definition, base, repositories } = request;
  // Before anything is sent: a collision in the root is found here.
  const layers = await Promise.all(plan(request).map((layer) => prepare(layer, request)));
  const inherited = base ? await takeOver(base, request) : [];
  const pushed = await pushLayers(layers, request);
  const config = imageConfigBytes({
    platform: platformOf(request.system),
    config: definition.config,
    diffIds: pushed.map((layer) => layer.diffId),
    history: pushed.map((layer) => layer.history),
    base: base?.config,
  });
  const configDescriptor = { mediaType: MEDIA_TYPE.config, digest: digestOf(config), size: config.length };
  const descriptors = [...inherited, ...pushed.map((layer) => layer.descriptor)];
  const bytes = manifestBytes(configDescriptor, descriptors, definition.annotations);
  const manifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  for (const repository of repositories) {
    await repository.putBlob(configDescriptor, config);
    await repository.putManifest(manifest);
  }
  return {
    system: request.system,
    manifest,
    config: { descriptor: configDescriptor, bytes: config },
    layers: descriptors,
  };
}

/** Store layers first, what is needed most at the bottom; the root layer on top, for it changes most. */
function plan({ definition, closure, base }: ImageRequest): Layer[] {
  const root = rootLayer(definition, closure);
  const budget = layerBudget(definition.maxLayers, base?.layers.length ?? 0, root !== undefined, closure.length);
  const storeMode = definition.includeNixDB ? MODE.storeWithDatabase : MODE.store;
  const store = planLayers(closure, budget).map((paths): Layer => ({ kind: 'store', paths, storeMode }));
  return root ? [...store, root] : store;
}

async function takeOver(base: BaseImage, request: ImageRequest): Promise<Descriptor[]> {
  request.log.info(`Taking over ${base.layers.length} layers of ${base.repository.name}`);
  return mapParallel(base.layers, LAYERS_AT_ONCE, (layer, at) =>
    layer.mediaType === MEDIA_TYPE.layer ? compressed(layer, base, at, request) : copied(layer, base, request),
  );
}

async function copied(layer: Descriptor, base: BaseImage, { repositories, signal }: ImageRequest): Promise<Descriptor> {
  for (const repository of repositories) await copyBlob(layer, base.repository, repository, signal);
  return layer;
}

/** Archives of dockerTools hold plain tars: sent as they are, every pull would pay for it. */
async function compressed(layer: Descriptor, base: BaseImage, at: number, request: ImageRequest): Promise<Descriptor> {
  const codec = codecOf(request.definition.compression);
  const { mediaType, digest, size, diffId } = await pushLayer(
    inBlocks(base.repository.readBlob(layer), STREAM_BLOCK),
    codec,
    request.repositories,
  );
  const promised = base.config.rootfs.diff_ids[at];
  if (diffId === promised) return { mediaType, digest, size };
  throw new UserError(
    'digest',
    `${base.repository.name}: layer ${at + 1} is ${diffId}, but its config says ${promised}`,
    {
      hint: 'The base is damaged: make it again.',
    },
  );
}

async function pushLayers(layers: readonly PreparedLayer[], request: ImageRequest): Promise<PushedLayer[]> {
  const total = layers.reduce((sum, { layer }) => sum + narSize(layer), 0);
  const progress = request.log.progress(`${request.system}: layers`, total);
  let done = 0;
  let finished = 0;
  const onBytes = (count: number): void => {
    done += count;
    progress.update(done, `${finished} of ${layers.length} layers`);
  };
  // The largest first, so that none is left to run alone at the end.
  const order = [...layers.keys()].sort((a, b) => narSize(layers[b]?.layer) - narSize(layers[a]?.layer));
  const pushed = new Array<PushedLayer>(layers.length);
  try {
    await mapParallel(order, LAYERS_AT_ONCE, async (index) => {
      const layer = layers[index];
      if (layer) pushed[index] = await pushOne(layer, request, onBytes);
      finished += 1;
    });
  } finally {
    progress.end();
  }
  return pushed;
}

const narSize = (layer: Layer | undefined): number =>
  layer ? storePathsOf(layer).reduce((sum, info) => sum + info.narSize, 0) : 0;

async function pushOne(
  { layer, tar }: PreparedLayer,
  request: ImageRequest,
  onBytes: (count: number) => void,
): Promise<PushedLayer> {
  const codec = codecOf(request.definition.compression);
  const { diffId, unpackedSize, ...blob } = await pushLayer(counted(tar(), onBytes), codec, request.repositories);
  const record = recordOf(layer, layerKey(layer), { diffId, unpackedSize });
  return {
    descriptor: { ...blob, annotations: layerAnnotations(record) },
    diffId,
    history: historyEntry(describe(layer)),
  };
}

async function prepare(layer: Layer, { tempDir, signal }: ImageRequest): Promise<PreparedLayer> {
  if (layer.kind === 'store') return { layer, tar: () => tarStream(storeLayerEntries(layer, storeTree), signal) };
  const database = layer.database ? await nixDatabase(layer.database.closure, tempDir) : undefined;
  const root = assembleRoot(layer, database, storeTree);
  return { layer, tar: () => tarStream(rootLayerEntries(root), signal) };
}

async function* counted(tar: AsyncIterable<Uint8Array>, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  for await (const block of tar) {
    onBytes(block.length);
    yield block;
  }
}

/** The words of a layer in the image's history. */
const describe = (layer: Layer): string =>
  layer.kind === 'store'
    ? `store paths: ${canonicalJson(layer.paths.map((info) => info.path))}`
    : 'root: merged packages, files and accounts';
