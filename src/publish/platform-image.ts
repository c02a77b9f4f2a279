import { UserError } from '../core/error.ts';
import { annotatedKey, keyAnnotation } from '../definition/image-key.ts';
import { layerRecord } from '../definition/layer-record.ts';
import type { Handover } from '../handover/handover.ts';
import type { BuiltImage } from '../image/image.ts';
import type { LayerOutcome } from '../image/layer-outcome.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { diskLayerBytes } from '../oci/disk-artifact.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { isForSystem } from '../oci/platform.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import { type Location, parseLocation } from '../storage/location.ts';
import { readPlatform } from '../storage/read-config.ts';
import type { ImageSource, OpenedImage } from '../storage/source.ts';
import type { TestRecord } from '../test-run/test-run.ts';
import type { MadeInput, PublishedInput } from './platform-input.ts';

/** One platform's image on its way into an index. */
export interface PlatformImage {
  readonly system: System;
  readonly manifest: StoredManifest;
  readonly parsed: ImageManifest;
  /** Where what may be missing at the destinations can be read; undefined when it was built right into them. */
  readonly source: { readonly layers: ImageSource; readonly rest: ImageSource } | undefined;
  /** Where it is published already: its layers are believed to be there as long as its manifest is. */
  readonly live: string | undefined;
  /** The job of the workflow that built it, where that is known. */
  readonly buildJob: string | undefined;
  /** What became of its tests; null where it was published before, and nobody remembers. */
  readonly tests: TestRecord | null;
  /** Bytes sent for it so far, over all destinations. */
  readonly bytesSent: number;
  /** What became of each layer, where it was built just now. */
  readonly outcomes?: readonly LayerOutcome[] | undefined;
}

/**
 * The image that a build job handed over; `openForReading` reaches the registry that has its layers. Throws UserError
 * `handover` when it is an image for another system than its label says.
 */
export async function handedOverImage(
  handover: Handover,
  openForReading: (destination: Location) => Promise<OpenedImage>,
): Promise<PlatformImage> {
  const { label, layout, manifest, origin } = handover;
  const { destination } = label;
  const parsed = parseImageManifest(manifest, origin);
  const config = await readPlatform(layout, parsed.config, origin);
  if (!isForSystem(config, label.system)) {
    const what = `holds an image for ${platformText(config)}, labelled ${label.system}`;
    throw new UserError('handover', `${origin} ${what}`, { hint: 'Run the build job again.' });
  }
  const layers = destination === null ? layout : (await openForReading(parseLocation(destination))).source;
  return {
    system: label.system,
    manifest,
    parsed,
    source: { layers, rest: layout },
    live: undefined,
    buildJob: label.run?.job,
    tests: label.tests,
    bytesSent: 0,
  };
}

/** The image that is already published. Throws UserError `handover` when it is gone, or is not what the plan says. */
export async function alreadyPublishedImage({
  name,
  system,
  manifest,
  key,
  source: from,
}: PublishedInput): Promise<PlatformImage> {
  const hint = 'Plan again, with `force` where the registry was cleaned, and build what is needed then.';
  const stored = await from.getManifest(manifest);
  const where = `${from.name}@${manifest}`;
  if (!stored) throw new UserError('handover', `${where} is gone, the image ${name} for ${system}`, { hint });
  const parsed = parseImageManifest(stored, where);
  if (annotatedKey(parsed) !== key) {
    throw new UserError('handover', `${where} is not the image ${name} for ${system} that was planned`, { hint });
  }
  const source = { layers: from, rest: from };
  const live = from.name;
  return { system, manifest: stored, parsed, source, live, buildJob: undefined, tests: null, bytesSent: 0 };
}

/** The image that was built right into the destinations. */
export const justBuiltImage = (image: BuiltImage, bytesSent: number, tests: TestRecord): PlatformImage => ({
  system: image.system,
  manifest: image.manifest,
  parsed: parseImageManifest(image.manifest),
  source: undefined,
  live: undefined,
  buildJob: undefined,
  tests,
  bytesSent,
  outcomes: image.outcomes,
});

/** The image that was made of something else, right into the destinations. */
export const justMadeImage = (
  { system, tests }: MadeInput,
  manifest: StoredManifest,
  bytesSent: number,
): PlatformImage => ({
  ...{ system, manifest, tests, bytesSent },
  ...{ parsed: parseImageManifest(manifest), source: undefined, live: undefined, buildJob: undefined },
});

/** The entry of an image in its index; it repeats the image's key, so that one request tells those of all systems. */
export function indexEntry({ manifest, parsed, system }: PlatformImage): Descriptor {
  const key = annotatedKey(parsed);
  return {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    platform: platformOf(system),
    // What the entry is shows without another request (OCI image-spec 1.1, descriptor.md).
    ...(parsed.artifactType === undefined ? {} : { artifactType: parsed.artifactType }),
    ...(key === undefined ? {} : { annotations: keyAnnotation(key) }),
  };
}

/** Bytes of all layers as they are sent. */
export const compressedSize = (layers: readonly Descriptor[]): number =>
  layers.reduce((sum, layer) => sum + layer.size, 0);

/** Bytes of all layers as tar; undefined when one of them (a base's) does not say. */
export function unpackedSize(layers: readonly Descriptor[]): number | undefined {
  const sizes = layers.map((layer) => layerRecord(layer)?.unpackedSize ?? diskLayerBytes(layer));
  return sizes.every((size) => size !== undefined) ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
}
