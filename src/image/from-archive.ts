import { stat } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { withoutOwn } from '../definition/layer-record.ts';
import { pathInStore } from '../layer/inside-store.ts';
import type { ToolImage } from '../nix/tool-image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isForSystem, isImageEntry } from '../oci/platform.ts';
import { isSameReference } from '../oci/reference.ts';
import type { System } from '../oci/system.ts';
import { openArchive } from '../storage/archive/archive-source.ts';
import { readDockerArchive } from '../storage/archive/docker-archive-reader.ts';
import { CONTAINERD_NAME, namesIn, REF_NAME } from '../storage/layout/layout-index.ts';
import { type LayoutEntries, layoutEntriesIn, openLayoutEntries } from '../storage/layout-entries.ts';
import { archiveKind } from '../storage/open.ts';
import { configBytes } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';
import type { ArchiveIndex } from '../tar/index.ts';
import { encodingOf } from './encoding.ts';
import { type ExistingImage, readImage } from './existing-image.ts';
import { type Image, imageOfTool } from './image.ts';
import type { StreamLayer } from './layer.ts';

/** Layers of which the first bytes are read at once. */
const HEADS_AT_ONCE = 3;

/** An image in an opened place: the source, and the tag or digest that the image has there. */
interface Found {
  readonly repository: ImageSource;
  readonly reference: string;
  /** Whether blobs were hashed when they were found: layouts only name digests. */
  readonly hashed: boolean;
}

/** Opens what a derivation made: an archive of docker's or OCI's kind, packed or not, or the folder of an OCI layout. */
export async function openArchiveImage(
  toolImage: ToolImage,
  system: System,
  tempDir: string,
  signal: AbortSignal,
): Promise<Image> {
  const path = pathInStore(toolImage.outPath);
  if ((await stat(path)).isDirectory()) {
    return imageOf(inLayout(await openLayoutEntries(path, tempDir), path, toolImage, system), path, toolImage, system);
  }
  return openImageArchive(await openArchive(path, tempDir, signal), toolImage, system);
}

/** Opens the image in an archive, which is closed with it, or when this throws. */
export async function openImageArchive(archive: ArchiveIndex, toolImage: ToolImage, system: System): Promise<Image> {
  try {
    return await imageOf(await inArchive(archive, toolImage, system), archive.path, toolImage, system);
  } catch (error) {
    await archive.close().catch(() => undefined);
    throw error;
  }
}

async function inArchive(archive: ArchiveIndex, toolImage: ToolImage, system: System): Promise<Found> {
  if ((await archiveKind(archive)) === 'docker-archive') {
    return inDockerArchive(await readDockerArchive(archive), toolImage);
  }
  return inLayout(await layoutEntriesIn(archive), archive.path, toolImage, system);
}

/** Docker's archives may hold several images; the one that the derivation names is meant then. */
async function inDockerArchive(
  repository: Awaited<ReturnType<typeof readDockerArchive>>,
  { name, registry, tag }: ToolImage,
): Promise<Found> {
  const full = `${registry === null ? '' : `${registry}/`}${name}:${tag ?? 'latest'}`;
  const named = await repository.getManifest(full);
  const reference = named?.digest ?? (await repository.soleImage().catch(unclear(full)));
  return { repository, reference, hashed: true };
}

const unclear =
  (name: string) =>
  (cause: unknown): never => {
    if (!(cause instanceof UserError) || cause.code !== 'reference') throw cause;
    throw new UserError('reference', `${cause.message}: none of them is ${name}`, {
      hint: 'Make an archive with one image in it, or give the derivation the imageName and imageTag of the one that is meant.',
      cause,
    });
  };

/** The only entry of a layout's index, or the one under the image's name, or the only one of those for the platform. */
function inLayout(
  { source: repository, entries, whole }: LayoutEntries,
  where: string,
  toolImage: ToolImage,
  system: System,
): Found {
  const images = entries.filter(isImageEntry);
  const named = images.filter((entry) => isNamed(entry, toolImage));
  const forSystem = (candidates: readonly Descriptor[]) =>
    candidates.filter(({ platform }) => platform && isForSystem(platform, system));
  const found = [images, named, forSystem(named), forSystem(images)].find(
    (candidates) => new Set(candidates.map(({ digest }) => digest)).size === 1,
  );
  const reference = found?.[0]?.digest ?? whole;
  if (reference) return { repository, reference, hashed: false };
  throw new UserError('reference', `${where} holds ${entries.length} images, and which one is meant is not clear`, {
    hint: `Make a layout with one image or index in it, or give the derivation an imageTag; ${namesText(entries)}`,
  });
}

function isNamed({ annotations }: Descriptor, { name, registry, tag }: ToolImage): boolean {
  const full = `${registry === null ? '' : `${registry}/`}${name}:${tag ?? 'latest'}`;
  const [written, refName] = [annotations?.[CONTAINERD_NAME], annotations?.[REF_NAME]];
  if (written !== undefined) return isSameReference(written, full);
  return refName === (tag ?? 'latest') || refName === `${name}:${tag ?? 'latest'}`;
}

const namesText = (entries: readonly Descriptor[]): string =>
  `its names are ${namesIn({ schemaVersion: 2, manifests: [...entries] }).join(', ') || 'missing'}.`;

async function imageOf(
  { repository, reference, hashed }: Found,
  where: string,
  toolImage: ToolImage,
  system: System,
): Promise<Image> {
  try {
    const image = await readImage(repository, reference, system, {
      where,
      hint: `Make it of the packages of ${system}; dockerTools and nix2container write their own architecture into it.`,
    });
    const config = await configBytes(repository, image.manifest.config);
    return {
      ...imageOfTool(toolImage, system),
      layers: await layersOf(image, hashed, where),
      annotations: withoutOwn(image.manifest.annotations),
      config: () => config,
      close: () => repository.close(),
    };
  } catch (error) {
    await repository.close().catch(() => undefined);
    throw error;
  }
}

/** How each layer is packed is told by its bytes. */
const layersOf = (
  { repository, layers, config }: ExistingImage,
  hashed: boolean,
  where: string,
): Promise<StreamLayer[]> =>
  mapParallel(layers, HEADS_AT_ONCE, async (descriptor, at) => {
    const diffId = config.rootfs.diff_ids[at];
    // readImage has found as many diffIDs as layers.
    if (diffId === undefined) throw new Error(`${where}: layer ${at + 1} has no diffID`);
    const label = `${where}: layer ${at + 1}`;
    const read = () => repository.readBlob(descriptor);
    const encoding = await encodingOf(label, read());
    const isVerified = hashed && descriptor.digest === diffId;
    return { kind: 'stream', label, encoding, diffId, isVerified, descriptor, size: descriptor.size, read };
  });
