import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { type BaseRecord, parseRecord } from '../definition/base-record.ts';
import { annotatedKey } from '../definition/image-key.ts';
import { type LayerRecord, ownLayerRecords } from '../definition/layer-record.ts';
import { storePathsIn } from '../definition/layer-words.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { ociType } from '../oci/media-type.ts';
import { NO_ORIGIN, type Origin, originIn } from '../oci/origin.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import { imageForSystem } from '../storage/image-for-system.ts';
import { readConfig } from '../storage/read-config.ts';
import { type ReadTag, readTagsOnce } from '../storage/read-tag.ts';
import type { ImageSource, OpenedImage } from '../storage/source.ts';

/** A layer of an image that was published before, and what it says of its content. */
export interface PreviousLayer {
  readonly descriptor: Descriptor;
  readonly record: LayerRecord;
  readonly repository: ImageSource;
  /** Whether that is believed for every destination, not for `repository` alone. */
  readonly forAll: boolean;
  /** Its store paths, as far as the history of its image names them; for messages alone. */
  readonly paths?: readonly string[];
}

/** Which store paths stood together in a layer before. */
export interface LayerBefore {
  readonly storeHashes: readonly string[];
  /** The paths themselves, as far as the history of that image names them; for messages alone. */
  readonly paths: readonly string[];
}

/** An image whose layers may be reused: for all destinations, or only for the one whose tag it is. */
export interface PreviousSource extends OpenedImage {
  readonly forAll: boolean;
}

/** What a new image may reuse. */
export interface Previous {
  /** By layer key: everything that an image says of it. */
  readonly layers: ReadonlyMap<string, readonly PreviousLayer[]>;
  /** Store hashes of the layers of the image whose plan is to be kept, in their order. */
  readonly groups: readonly (readonly string[])[];
  /** All layers of that image that say what they are. */
  readonly planned: readonly LayerBefore[];
  /** What the images say of the bases that they stand on. */
  readonly bases: readonly BaseRecord[];
  /** The origin of the image of a key: of the first place that has it. */
  originOf(key: string): Origin | undefined;
  /** Whether a repository surely has a manifest, with all that it names. */
  has(repository: ImageSource, manifest: Digest): boolean;
}

export const NOTHING_PREVIOUS: Previous = {
  layers: new Map(),
  groups: [],
  planned: [],
  bases: [],
  originOf: () => undefined,
  has: () => false,
};

/** Reads the images before for one system; see previousImages. */
export type ReadPrevious = (system: System) => Promise<Previous>;

/**
 * The images whose layers may be reused, first the one whose plan is kept. Only references that the workflow
 * names belong here, never one that a pull request may write. An index is fetched once for all systems. What is not
 * there, is of another maker, or cannot be read is left out: any doubt means build.
 */
export function previousImages(
  sources: readonly PreviousSource[],
  log: Log,
  read: ReadTag = readTagsOnce(),
): ReadPrevious {
  const fetchOnce = ({ source, reference }: OpenedImage): Promise<StoredManifest | undefined> =>
    read(source, reference);
  return async (system) => {
    const images = await Promise.all(sources.map((source) => readOne(source, system, fetchOnce, log)));
    return combine(
      images.filter((image) => image !== undefined),
      new Set(sources.flatMap(({ source, forAll }) => (forAll ? [] : [source]))),
    );
  };
}

interface OneImage {
  readonly key: string | undefined;
  readonly origin: Origin;
  readonly repository: ImageSource;
  readonly digest: Digest;
  readonly layers: readonly PreviousLayer[];
}

async function readOne(
  source: PreviousSource,
  system: System,
  fetchOnce: (source: OpenedImage) => Promise<StoredManifest | undefined>,
  log: Log,
): Promise<OneImage | undefined> {
  const { source: repository, reference, forAll } = source;
  try {
    const stored = await fetchOnce(source);
    const manifest = stored && (await imageForSystem(repository, stored, system)).manifest;
    if (!manifest) return undefined;
    return { repository, digest: manifest.digest, ...(await whatIsKnown(manifest, repository, forAll)) };
  } catch (error) {
    if (error instanceof UserError && error.code === 'cancelled') throw error;
    log.info(
      `reusing nothing from ${repository.name} ${reference}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** The image's own layers whose annotations agree with what clients of that image check: the diffIDs of its config. */
async function whatIsKnown(
  stored: StoredManifest,
  repository: ImageSource,
  forAll: boolean,
): Promise<Pick<OneImage, 'key' | 'origin' | 'layers'>> {
  const manifest = parseImageManifest(stored, `${repository.name} ${stored.digest}`);
  const { config, layers } = manifest;
  const records = ownLayerRecords(manifest);
  const key = annotatedKey(manifest);
  if (!key && !records.some(Boolean)) return { key, origin: NO_ORIGIN, layers: [] };
  const { rootfs, created, history } = await readConfig(repository, config, `${repository.name} ${config.digest}`);
  const named = (history ?? []).filter((entry) => !entry.empty_layer);
  const known = layers.flatMap((descriptor, at) => {
    const record = records[at];
    if (!record || record.diffId !== rootfs.diff_ids[at]) return [];
    // Docker's names of the same bytes stand in images of that format only.
    return [
      {
        descriptor: { ...descriptor, mediaType: ociType(descriptor.mediaType) },
        record,
        repository,
        forAll,
        paths: storePathsIn(named[at]),
      },
    ];
  });
  return { key, origin: originIn(manifest.annotations, created ?? undefined), layers: known };
}

function combine(images: readonly OneImage[], destinations: ReadonlySet<ImageSource>): Previous {
  const layers = Map.groupBy(
    images.flatMap((image) => image.layers),
    ({ record }) => record.key,
  );
  const [planned] = images.filter((image) => image.layers.length > 0);
  return {
    layers,
    planned: planned?.layers.map(({ record: { storeHashes }, paths }) => ({ storeHashes, paths: paths ?? [] })) ?? [],
    groups: planned?.layers.map(({ record }) => record.storeHashes).filter((hashes) => hashes.length > 0) ?? [],
    bases: knownBases([...layers.values()].flat(), destinations),
    originOf: (key) => images.find((image) => image.key === key)?.origin,
    has: (repository, manifest) => images.some((image) => image.repository === repository && image.digest === manifest),
  };
}

/**
 * What is said of bases by an image that counts for all, or at every destination: it decides what the root layer holds
 * everywhere, so no destination is believed alone.
 */
function knownBases(layers: readonly PreviousLayer[], destinations: ReadonlySet<ImageSource>): BaseRecord[] {
  const told = Map.groupBy(
    layers.filter(({ record }) => record.base !== undefined),
    ({ record }) => record.base ?? '',
  );
  return [...told].flatMap(([text, by]) => {
    const places = new Set(by.map(({ repository }) => repository));
    const isKnown = by.some(({ forAll }) => forAll) || [...destinations].every((place) => places.has(place));
    return isKnown ? (parseRecord(text) ?? []) : [];
  });
}
