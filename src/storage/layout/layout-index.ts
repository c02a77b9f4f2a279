import { z } from 'zod';
import { decodeJson, type JsonDocument } from '../../core/decode-json.ts';
import { UserError } from '../../core/error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { type ImageIndex, indexSchema } from '../../oci/manifest.ts';
import { MEDIA_TYPE } from '../../oci/media-type.ts';
import { byPlatform, isImageEntry } from '../../oci/platform.ts';
import type { StoredManifest } from '../../oci/read-manifest.ts';
import { isAttachedTag } from '../attached-tags.ts';

/** image-spec, `image-layout.md`. */
export const LAYOUT_MARKER = '{"imageLayoutVersion":"1.0.0"}';

export const REF_NAME = 'org.opencontainers.image.ref.name';

/** containerd's and docker's name of an image, in full; their ref.name is the tag alone, whatever the image. */
export const CONTAINERD_NAME = 'io.containerd.image.name';

const markerSchema = z.looseObject({ imageLayoutVersion: z.string().regex(/^1\./, 'expected version 1') });

/** `index.json` of a layout: what it holds, by name. */
export type LayoutIndex = ImageIndex;

const documentAt = (where: string): JsonDocument => ({
  code: 'file',
  what: where,
  mismatch: 'is not what a layout holds',
  hint: 'It may be damaged, or no OCI image layout. Remove it or name another place.',
});

/** Throws UserError `file` unless `text` is the `oci-layout` file of a version known here. */
export function checkLayoutMarker(text: string, where: string): void {
  decodeJson(text, markerSchema, documentAt(where));
}

export const parseLayoutIndex = (text: string, where: string): LayoutIndex =>
  decodeJson(text, indexSchema, documentAt(where));

export const emptyLayoutIndex = (): LayoutIndex => ({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] });

/** The entry's bytes as they are stored, with a line end so that a person may print the file. */
export const encodeLayoutIndex = (index: LayoutIndex): Buffer => Buffer.from(`${JSON.stringify(index)}\n`);

/** A copy where `name` means `descriptor`; other names and foreign fields stay. */
export function withName(
  index: LayoutIndex,
  name: string,
  descriptor: Descriptor,
  annotations: Readonly<Record<string, string>>,
): LayoutIndex {
  const others = index.manifests.filter((entry) => entry.annotations?.[REF_NAME] !== name);
  const entry = { ...descriptor, annotations: { ...annotations, [REF_NAME]: name } };
  return { ...index, manifests: [...others, entry] };
}

/** The entry under a name or digest; undefined when there is none. */
export const findEntry = (index: LayoutIndex, reference: string): Descriptor | undefined =>
  index.manifests.find((entry) => entry.annotations?.[REF_NAME] === reference) ??
  index.manifests.find((entry) => entry.digest === reference);

/** Names under which images are kept, for messages. */
export const namesIn = (index: LayoutIndex): string[] =>
  imagesIn(index).flatMap((entry) => entry.annotations?.[REF_NAME] ?? []);

/** The entries that are images: neither attestations, nor lists of referrers, nor what cosign attached. */
const imagesIn = (index: LayoutIndex): Descriptor[] =>
  index.manifests.filter((entry) => isImageEntry(entry) && !isAttachedTag(entry.annotations?.[REF_NAME]));

/** A layout's own index as an image for several platforms; undefined where the platforms do not tell its entries apart. */
export function platformIndex(index: LayoutIndex): StoredManifest | undefined {
  const images = byPlatform(imagesIn(index));
  if (images === undefined) return undefined;
  const bytes = encodeLayoutIndex({ ...index, mediaType: MEDIA_TYPE.index, manifests: [...images] });
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
}

/**
 * The digest of what to read when no name was given: the only image, which may have several names, or the whole index when
 * each entry is for another platform. Throws UserError `reference` where it is not clear.
 */
export function soleDigest(index: LayoutIndex, where: string): Digest {
  const images = imagesIn(index);
  const [digest, another] = new Set(images.map((entry) => entry.digest));
  if (digest !== undefined && another === undefined) return digest;
  const whole = platformIndex(index);
  if (whole !== undefined) return whole.digest;
  const names = namesIn(index);
  throw new UserError('reference', `${where} holds ${images.length} images; name one of them`, {
    hint: names.length > 0 ? `Add one of these names: ${names.join(', ')}.` : 'Write an image into it first.',
  });
}
