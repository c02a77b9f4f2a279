import { UserError } from '../core/error.ts';
import type { Exec } from '../core/exec.ts';
import { formatRecord } from '../definition/base-record.ts';
import type { Closure } from '../definition/closure.ts';
import type { Definition } from '../definition/definition.ts';
import { definitionKey, keyAnnotation } from '../definition/image-key.ts';
import { type Layer, rootLayer, type StoreLayer } from '../definition/layer.ts';
import { layerBudget, planLayers } from '../definition/layer-plan.ts';
import { inheritedAnnotation } from '../definition/layer-record.ts';
import { chosenCodec } from '../layer/external-codec.ts';
import { imageConfigBytes } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { dockerType, MEDIA_TYPE } from '../oci/media-type.ts';
import type { Origin } from '../oci/origin.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, type System } from '../oci/system.ts';
import type { Repository } from '../storage/destination.ts';
import { isMissingBlob } from '../storage/registry/failure.ts';
import { MODE } from '../tar/profile.ts';
import type { BaseImage } from './base-image.ts';
import { type BaseFacts, baseFacts, storeOverBase } from './from-definition/base-facts.ts';
import { takeOverBase } from './from-definition/base-layers.ts';
import type { LayerTools } from './layer-tools.ts';
import { type MadeLayer, makeLayers } from './made-layers.ts';
import type { Previous } from './previous-image.ts';

export interface ImageRequest extends Omit<LayerTools, 'compression' | 'mediaType' | 'facts'> {
  readonly definition: Definition;
  readonly system: System;
  /** Every store path of the image; they need not be on this machine. */
  readonly closure: Closure;
  readonly base: BaseImage | undefined;
  readonly exec: Exec;
  /** What the image says of the run that makes it, unless it is published already and keeps its own. */
  readonly origin: Origin;
}

export interface BuiltImage {
  readonly system: System;
  readonly manifest: StoredManifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
  readonly layers: readonly Descriptor[];
}

/**
 * Makes the image of one definition for one system: layers, config and manifest are in every repository afterwards
 * (by digest, under no tag). Throws UserError for what the definition, the store or a repository does wrong.
 */
export function buildImage(request: ImageRequest): Promise<BuiltImage> {
  const { base, previous, log, signal } = request;
  return buildOver(request, base && baseFacts(base, previous.bases, log, signal));
}

async function buildOver(request: ImageRequest, facts: BaseFacts | undefined): Promise<BuiltImage> {
  const { definition, base, repositories, system } = request;
  const { compression } = definition;
  for (const { mediaType } of base?.layers ?? []) inFormat(definition.format, mediaType);
  const codec = chosenCodec(compression, request);
  const layers = await plan(request, facts);
  const inherited = base ? await takeOverBase(base, { ...request, codec }) : [];
  const made = await makeLayers(layers, system, { ...request, compression, mediaType: codec.mediaType, facts });
  const image = assemble(request, inherited, made);
  const lacking = await store(image, request);
  if (!lacking) return image;
  // Layers that were believed to be there are not: look at each, and make what is gone.
  request.log.warn(`${lacking.name} layers that an image there names are gone; making them again`);
  return buildOver({ ...request, previous: await confirmed(request.previous, made, repositories) }, facts);
}

/** Store layers first, the root layer on top, for it changes most. */
async function plan(
  { definition, closure, base, previous }: ImageRequest,
  facts: BaseFacts | undefined,
): Promise<Layer[]> {
  const root = rootLayer(definition, closure, facts?.id);
  const budget = layerBudget(definition.maxLayers, base?.layers.length ?? 0, root !== undefined, closure.length);
  const storeMode = definition.includeNixDB ? MODE.storeWithDatabase : MODE.store;
  const groups = planLayers(closure, budget, previous.groups);
  const { answer: over, record } = (await facts?.ask(storeOverBase)) ?? { answer: {} };
  // A store in which Nix runs has the mode that it needs, whatever the base has.
  const store = over.store && definition.includeNixDB ? { ...over, store: { ...over.store, mode: storeMode } } : over;
  const layers = groups.map((paths): StoreLayer => ({ kind: 'store', paths, storeMode, over: store }));
  if (root) return [...layers, root];
  return layers.map((layer, at) =>
    record && at === layers.length - 1 ? { ...layer, base: formatRecord(record) } : layer,
  );
}

function assemble(
  { definition, system, base, previous, origin }: ImageRequest,
  inherited: readonly Descriptor[],
  made: readonly MadeLayer[],
): BuiltImage {
  const key = definitionKey(definition, system);
  const by = previous.originOf(key) ?? origin;
  const bytes = imageConfigBytes({
    platform: platformOf(system),
    config: definition.config,
    diffIds: made.map((layer) => layer.diffId),
    history: made.map((layer) => layer.history),
    base: base?.config,
    created: definition.created ?? by.created,
  });
  const typeOf = (mediaType: string): string => inFormat(definition.format, mediaType);
  const digest = digestOf(bytes);
  const config = { descriptor: { mediaType: typeOf(MEDIA_TYPE.config), digest, size: bytes.length }, bytes };
  const layers = [...inherited, ...made.map(({ descriptor }) => descriptor)].map((layer) => ({
    ...layer,
    mediaType: typeOf(layer.mediaType),
  }));
  const annotations = {
    ...by.annotations,
    ...definition.annotations,
    ...keyAnnotation(key),
    ...inheritedAnnotation(inherited.length),
  };
  const mediaType = typeOf(MEDIA_TYPE.manifest);
  const manifest = manifestBytes(config.descriptor, layers, annotations, mediaType);
  return { system, manifest: { bytes: manifest, mediaType, digest: digestOf(manifest) }, config, layers };
}

/**
 * The media type under which a format has something. Layers are made and reused under OCI's names; only here, where all of
 * them are named together, Docker's come in. Throws UserError `definition` for what Docker has no name for.
 */
function inFormat(format: Definition['format'], mediaType: string): string {
  if (format === 'oci') return mediaType;
  const name = dockerType(mediaType);
  if (name !== undefined) return name;
  throw new UserError(
    'definition',
    `format: a layer of the base is ${mediaType}, which Docker's format does not allow`,
    {
      hint: 'Take a base whose layers are packed with gzip, or leave out format = "docker".',
    },
  );
}

/** Stores config and manifest; returns the first repository that lacks a blob of it. */
async function store(
  { manifest, config }: BuiltImage,
  { repositories, previous, recompress }: ImageRequest,
): Promise<Repository | undefined> {
  for (const repository of repositories) {
    if (!recompress && previous.has(repository, manifest.digest)) continue;
    await repository.putBlob(config.descriptor, config.bytes);
    try {
      await repository.putManifest(manifest);
    } catch (error) {
      if (previous.layers.size > 0 && isMissingBlob(error)) return repository;
      throw error;
    }
  }
  return undefined;
}

/** What came before, without the layers that a repository does not have after all. */
async function confirmed(
  previous: Previous,
  made: readonly MadeLayer[],
  repositories: readonly Repository[],
): Promise<Previous> {
  const gone = new Set<string>();
  await Promise.all(
    made.map(async ({ descriptor }) => {
      const there = await Promise.all(
        repositories.map((repository) => repository.hasBlob(descriptor, { fresh: true })),
      );
      if (!there.every(Boolean)) gone.add(descriptor.digest);
    }),
  );
  const layers = new Map(
    [...previous.layers].map(([key, known]) => [key, known.filter(({ descriptor }) => !gone.has(descriptor.digest))]),
  );
  // Nothing is gone, so whatever the registry means will not be mended by trying again.
  return { ...previous, layers: gone.size > 0 ? layers : new Map(), has: () => false };
}
