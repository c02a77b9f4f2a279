import type { Exec } from '../core/exec.ts';
import { timed } from '../core/span.ts';
import { sum } from '../core/sum.ts';
import { keyAnnotation } from '../definition/image-key.ts';
import { inheritedAnnotation, layerRecord } from '../definition/layer-record.ts';
import { chosenCodec } from '../layer/external-codec.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, shortDigest } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Origin } from '../oci/origin.ts';
import { checkSizes } from '../storage/blob-limit.ts';
import { MissingBlobError, type Repository } from '../storage/destination.ts';
import { type BuiltImage, type Image, inFormat } from './image.ts';
import type { StoredLayer } from './layer.ts';
import type { LayerOutcome } from './layer-outcome.ts';
import type { Reuse } from './reuse.ts';
import { layerTitle } from './watch-layer.ts';
import { type LayerOptions, type PlacedLayer, writeLayers } from './write-layers.ts';

interface WriteOptions extends Omit<LayerOptions, 'codec'> {
  /** What the image says of the run that makes it, unless it is published already and keeps its own. */
  readonly origin: Origin;
  readonly exec: Exec;
}

/** Once with all that may be reused, once without what turned out to be gone, and once with nothing. */
const ATTEMPTS = 3;

/**
 * Writes an image to every destination, where layers, config and manifest are afterwards (by digest, under no tag): layers
 * are reused where one of the same content is known, mounted or copied where their bytes lie somewhere, and made otherwise,
 * each once for all destinations. Throws UserError for what the source, the store or a destination does wrong.
 */
export async function writeImage(
  image: Image,
  destinations: readonly Repository[],
  options: WriteOptions,
): Promise<BuiltImage> {
  checkSizes(knownSizes(image), destinations);
  const codec = chosenCodec(image.compression, options);
  let { reuse } = options;
  for (let attempt = 1; ; attempt++) {
    const layers = await writeLayers(image, destinations, { ...options, reuse, codec });
    const built = assemble(image, layers, reuse.originOf(image.key) ?? options.origin);
    const storing = { track: 'steps', name: 'Storing config and manifest', facts: { system: image.system } } as const;
    const failure = await timed(options.log, storing, () => store(built, destinations, reuse));
    if (!failure)
      for (const follower of options.followers ?? []) follower.put(built.config.descriptor, built.config.bytes);
    if (!failure) return { ...built, outcomes: outcomesOf(image, layers, destinations) };
    const isReusing = reuse.hasLayers || layers.some((layer) => layer.isReused);
    if (!isReusing || attempt === ATTEMPTS) throw failure.error;
    // Layers that were believed to be there are not: look at each, and make what is gone.
    options.log.warn(`${failure.destination.name}: layers that an image there names are gone; making them again`);
    const gone = attempt === 1 ? await missing(layers, destinations) : new Set<Digest>();
    const isOwn = new Set(layers.map(({ descriptor }) => descriptor.digest));
    options.shared.forget(({ digest }) => (gone.size > 0 ? gone.has(digest) : isOwn.has(digest)));
    reuse = reuse.without(gone);
  }
}

/** What became of each layer. */
const outcomesOf = (
  { layers }: Image,
  placed: readonly PlacedLayer[],
  destinations: readonly Repository[],
): LayerOutcome[] =>
  placed.map(({ descriptor, way, why, milliseconds = 0 }, at): LayerOutcome => {
    const layer = layers[at];
    const { digest, size } = descriptor;
    return {
      label: layer === undefined ? shortDigest(digest) : layerTitle(layer),
      ...{ digest, size, unpackedSize: layerRecord(descriptor)?.unpackedSize },
      ...{ way, why, milliseconds },
      bytesSent: sum(destinations.map((destination) => destination.takeSent(digest))),
    };
  });

/** Layers whose bytes are there already; what is compressed on its way may come out smaller than what is read. */
const knownSizes = ({ layers }: Image): Descriptor[] =>
  layers.flatMap((layer) =>
    layer.kind === 'blob' || (layer.kind === 'stream' && layer.encoding !== 'tar') ? (layer.descriptor ?? []) : [],
  );

/** An image of these layers: annotations, config and manifest. */
function assemble(image: Image, stored: readonly StoredLayer[], origin: Origin): BuiltImage {
  const { system, format } = image;
  const bytes = image.config({ diffIds: stored.map(({ diffId }) => diffId), created: origin.created });
  const digest = digestOf(bytes);
  const mediaType = inFormat(format, MEDIA_TYPE.config);
  const config = { descriptor: { mediaType, digest, size: bytes.length }, bytes };
  const layers = stored.map(({ descriptor }) => ({
    ...descriptor,
    mediaType: inFormat(format, descriptor.mediaType),
  }));
  const annotations = {
    ...origin.annotations,
    ...image.annotations,
    ...keyAnnotation(image.key),
    ...inheritedAnnotation(image.inherited),
  };
  const manifestType = inFormat(format, MEDIA_TYPE.manifest);
  const manifest = manifestBytes(config.descriptor, layers, annotations, { mediaType: manifestType });
  return {
    system,
    manifest: { bytes: manifest, mediaType: manifestType, digest: digestOf(manifest) },
    config,
    layers,
  };
}

/** Stores config and manifest; gives the first destination that is missing a blob of it, and its error. */
async function store(
  { manifest, config }: BuiltImage,
  destinations: readonly Repository[],
  reuse: Reuse,
): Promise<{ readonly destination: Repository; readonly error: unknown } | undefined> {
  for (const destination of destinations) {
    if (reuse.hasManifest(destination, manifest.digest)) continue;
    await destination.putBlob(config.descriptor, config.bytes);
    try {
      await destination.putManifest(manifest);
    } catch (error) {
      if (error instanceof MissingBlobError) return { destination, error };
      throw error;
    }
  }
  return undefined;
}

/** The layers that a destination does not have after all. */
async function missing(
  layers: readonly { readonly descriptor: Descriptor }[],
  destinations: readonly Repository[],
): Promise<Set<Digest>> {
  const gone = new Set<Digest>();
  await Promise.all(
    layers.map(async ({ descriptor }) => {
      const there = await Promise.all(destinations.map((each) => each.hasBlob(descriptor, { fresh: true })));
      if (!there.every(Boolean)) gone.add(descriptor.digest);
    }),
  );
  return gone;
}
