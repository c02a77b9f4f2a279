import { type LayerRecord, layerRecord } from '../image/annotations.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import { manifestSchema } from '../image/manifest.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { parseJson } from '../io/json.ts';
import type { Log } from '../io/log.ts';
import { imageForSystem } from '../registry/image-for-system.ts';
import type { ImageSource } from '../registry/open.ts';
import { readConfig } from '../registry/read-config.ts';
import type { Repository, StoredManifest } from '../registry/repository.ts';

/** A layer of an image that was published before, and what it says of its content. */
export interface PreviousLayer {
  readonly descriptor: Descriptor;
  readonly record: LayerRecord;
  readonly repository: Repository;
}

/** What a new image may take over. */
export interface Previous {
  /** By layer key. */
  readonly layers: ReadonlyMap<string, PreviousLayer>;
  /** Store hashes of the layers of the image whose plan is to be kept, in their order. */
  readonly groups: readonly (readonly string[])[];
  /** Whether a repository surely has a manifest, with all that it names. */
  has(repository: Repository, manifest: Digest): boolean;
}

export const NOTHING_PREVIOUS: Previous = { layers: new Map(), groups: [], has: () => false };

/** Reads the images before for one system; see previousImages. */
export type ReadPrevious = (system: System) => Promise<Previous>;

/**
 * The images whose layers may be taken over, first the one whose plan is kept. Only references that the workflow
 * names belong here, never one that a pull request may write. An index is fetched once for all systems. What is not
 * there, is of another maker, or cannot be read is left out: any doubt means build.
 */
export function previousImages(sources: readonly ImageSource[], log: Log): ReadPrevious {
  const fetched = new Map<ImageSource, Promise<StoredManifest | undefined>>();
  const fetchOnce = (source: ImageSource): Promise<StoredManifest | undefined> => {
    const known = fetched.get(source) ?? source.repository.getManifest(source.reference);
    fetched.set(source, known);
    return known;
  };
  return async (system) => {
    const images = await Promise.all(sources.map((source) => readOne(source, system, fetchOnce, log)));
    return combine(images.filter((image) => image !== undefined));
  };
}

interface OneImage {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly layers: readonly PreviousLayer[];
}

async function readOne(
  source: ImageSource,
  system: System,
  fetchOnce: (source: ImageSource) => Promise<StoredManifest | undefined>,
  log: Log,
): Promise<OneImage | undefined> {
  const { repository, reference } = source;
  try {
    const stored = await fetchOnce(source);
    const manifest = stored && (await imageForSystem(repository, stored, system)).manifest;
    if (!manifest) return undefined;
    return { repository, digest: manifest.digest, layers: await knownLayers(manifest, repository) };
  } catch (error) {
    if (error instanceof UserError && error.code === 'cancelled') throw error;
    log.info(
      `taking nothing over from ${repository.name} ${reference}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** The layers whose annotations agree with what clients of that image check: the diffIDs of its config. */
async function knownLayers(manifest: StoredManifest, repository: Repository): Promise<PreviousLayer[]> {
  const { config, layers } = parseJson(manifest.bytes, manifestSchema, `${repository.name} ${manifest.digest}`);
  const annotated = layers.map((descriptor) => ({ descriptor, record: layerRecord(descriptor) }));
  if (!annotated.some(({ record }) => record)) return [];
  const { rootfs } = await readConfig(repository, config, `${repository.name} ${config.digest}`);
  return annotated.flatMap(({ descriptor, record }, at) =>
    record && record.diffId === rootfs.diff_ids[at] ? [{ descriptor, record, repository }] : [],
  );
}

function combine(images: readonly OneImage[]): Previous {
  const layers = new Map<string, PreviousLayer>();
  for (const layer of images.flatMap((image) => image.layers)) {
    if (!layers.has(layer.record.key)) layers.set(layer.record.key, layer);
  }
  const [planned] = images.filter((image) => image.layers.length > 0);
  return {
    layers,
    groups: planned?.layers.map(({ record }) => record.storeHashes).filter((hashes) => hashes.length > 0) ?? [],
    has: (repository, manifest) => images.some((image) => image.repository === repository && image.digest === manifest),
  };
}
