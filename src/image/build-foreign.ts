import { foreignKey, keyAnnotation } from '../definition/image-key.ts';
import { inheritedAnnotation, withoutOwn } from '../definition/layer-record.ts';
import { codecOf } from '../layer/codec.ts';
import { pathInStore } from '../layer/inside-store.ts';
import type { Foreign } from '../nix/foreign.ts';
import { withGcRoots } from '../nix/gc-roots.ts';
import { realiseHere } from '../nix/realise.ts';
import { CODECS } from '../oci/compression.ts';
import { digestOf } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Origin } from '../oci/origin.ts';
import type { System } from '../oci/system.ts';
import type { Repository } from '../storage/destination.ts';
import { isMissingBlob } from '../storage/registry/failure.ts';
import { type BringTools, type BroughtLayer, bringLayers } from './bring-layers.ts';
import type { BuiltImage } from './build-image.ts';
import { builtKind } from './built-kind.ts';
import type { ForeignImage } from './foreign-image.ts';
import { openImageFile } from './from-archive/image-file.ts';
import type { BuildTools } from './from-definition/build-from-nix.ts';
import { openLayerList } from './from-nix2container/layer-list.ts';
import { openStream } from './from-stream.ts';
import { type Journal, NO_JOURNAL } from './journal.ts';
import { NOTHING_PREVIOUS, type Previous, type ReadPrevious } from './previous-image.ts';

export interface ForeignJob {
  readonly foreign: Foreign;
  readonly system: System;
  /** Where layers, config and manifest go. */
  readonly repositories: readonly Repository[];
  readonly readPrevious: ReadPrevious;
  readonly journal: Journal;
  readonly recompress: boolean;
  /** What the image says of the run that makes it, unless it is published already and keeps its own. */
  readonly origin: Origin;
}

/**
 * One build job of an image that another tool has laid out: its derivation is realised, and layers, config and manifest
 * are in every repository afterwards (by digest, under no tag). The config stays as its maker wrote it. Throws UserError:
 * `build` and `system` as Nix does, `file` for what holds no image, `digest` for layers that are not what the config says,
 * `platforms` for an image of another platform, `reference` where several images are and none is meant.
 */
export function buildForeign(job: ForeignJob, tools: BuildTools): Promise<BuiltImage> {
  const { foreign, system } = job;
  const { log, nix } = tools;
  return withGcRoots(async (gcRootDir) => {
    // The registry answers while Nix works.
    const reading = job.readPrevious(system);
    reading.catch(() => undefined);
    if (foreign.registry !== null)
      log.info(
        `${foreign.name}: the registry ${foreign.registry} in its imageName is left out; --to says where it goes`,
      );
    const image = await log.group(`Realising ${foreign.name} for ${system}`, async () => {
      await realiseHere(nix, [foreign], { gcRootDir });
      return openImage(job, tools);
    });
    try {
      return await log.group(`Copying the layers of ${foreign.name} for ${system}`, async () =>
        bringImage(image, job, tools, await reading),
      );
    } finally {
      await image.close();
    }
  });
}

/** Opens what was built. Marks of archives and scripts may contradict each other, so the file itself goes first. */
const openImage = async ({ foreign, system }: ForeignJob, tools: BuildTools): Promise<ForeignImage> => {
  if (foreign.kind === 'nix2container') return openLayerList(foreign, system);
  const kind = (await builtKind(pathInStore(foreign.outPath))) ?? foreign.kind;
  return kind === 'stream'
    ? openStream(foreign, system, tools)
    : openImageFile(foreign, system, tools.tempDir, tools.signal);
};

async function bringImage(
  image: ForeignImage,
  job: ForeignJob,
  tools: BuildTools,
  previous: Previous,
): Promise<BuiltImage> {
  const { repositories, journal, recompress, system, foreign } = job;
  const bring: BringTools = {
    codec: codecOf('gzip', CODECS.gzip.usual),
    repositories,
    previous,
    journal,
    recompress,
    signal: tools.signal,
  };
  const layers = await bringLayers(image.layers, bring);
  const takenOver = layers.filter((layer) => layer.takenOver).length;
  if (takenOver > 0) tools.log.info(`${system}: reusing ${takenOver} of ${layers.length} layers`);
  const built = assemble(image, layers, job, previous);
  try {
    await store(built, repositories, recompress ? NOTHING_PREVIOUS : previous);
    return built;
  } catch (error) {
    if (takenOver === 0 || !isMissingBlob(error)) throw error;
    // Layers that were believed to be there are not.
    tools.log.warn(`${foreign.name}: layers that an image there names are gone; sending them again`);
    return bringImage(image, { ...job, journal: NO_JOURNAL }, tools, NOTHING_PREVIOUS);
  }
}

function assemble(
  image: ForeignImage,
  brought: readonly BroughtLayer[],
  { system, foreign, origin }: ForeignJob,
  previous: Previous,
): BuiltImage {
  const key = foreignKey(foreign, system);
  const bytes = image.config(brought.map((layer) => layer.diffId));
  const config = { descriptor: { mediaType: MEDIA_TYPE.config, digest: digestOf(bytes), size: bytes.length }, bytes };
  const layers = brought.map((layer) => layer.descriptor);
  const annotations = {
    ...(previous.originOf(key) ?? origin).annotations,
    ...withoutOwn(image.annotations),
    ...keyAnnotation(key),
    // Every layer was read here, or was known to be one that was.
    ...inheritedAnnotation(0),
  };
  const manifest = manifestBytes(config.descriptor, layers, annotations);
  return {
    system,
    manifest: { bytes: manifest, mediaType: MEDIA_TYPE.manifest, digest: digestOf(manifest) },
    config,
    layers,
  };
}

async function store(
  { manifest, config }: BuiltImage,
  repositories: readonly Repository[],
  previous: Previous,
): Promise<void> {
  for (const repository of repositories) {
    if (previous.has(repository, manifest.digest)) continue;
    await repository.putBlob(config.descriptor, config.bytes);
    await repository.putManifest(manifest);
  }
}
