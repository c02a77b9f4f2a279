import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { decodeDocument } from './decode-document.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf, isDigest } from './digest.ts';
import { digestMismatch } from './digest-check.ts';
import { type ImageIndex, type ImageManifest, indexSchema, manifestSchema } from './manifest.ts';
import { isIndexType, isManifestType, MEDIA_TYPE } from './media-type.ts';

/** A manifest or index as it is stored: its bytes are what its digest names, so they are never re-encoded. */
export interface StoredManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** What registries take at most for a manifest (distribution-spec, "Pushing manifests"), in bytes. */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;

/** Header `Accept` for manifests: everything this program understands. */
export const MANIFEST_ACCEPT = [
  MEDIA_TYPE.index,
  MEDIA_TYPE.manifest,
  MEDIA_TYPE.dockerIndex,
  MEDIA_TYPE.dockerManifest,
].join(', ');

const envelopeSchema = z.looseObject({ schemaVersion: z.int(), mediaType: z.string().optional() });

const HINT = 'Build and push the image again with a current tool.';

const unusable = (where: string, what: string): UserError =>
  new UserError('registry', `the manifest ${where} is not valid: ${what}`, { hint: HINT });

// Without a mediaType the shape tells: OCI made the field optional.
function guessType(json: unknown): string | undefined {
  if (indexSchema.safeParse(json).success) return MEDIA_TYPE.index;
  return manifestSchema.safeParse(json).success ? MEDIA_TYPE.manifest : undefined;
}

/**
 * Takes in manifest bytes from outside. `reference` (a tag or digest) and `claimed` (a digest the place stated)
 * are checked against the bytes. Throws UserError `digest` when they differ, `registry` for schema 1, other types and damage.
 */
export const readManifest = (
  bytes: Uint8Array,
  options: {
    readonly where: string;
    readonly contentType?: string | null;
    readonly reference?: string;
    readonly claimed?: string | null;
  },
): StoredManifest => {
  const { where, reference, claimed } = options;
  if (bytes.length > MANIFEST_LIMIT) throw unusable(where, 'it is larger than 4 MiB');
  const digest = digestOf(bytes);
  for (const promised of [reference, claimed]) {
    if (promised && isDigest(promised) && promised !== digest) {
      throw digestMismatch(
        where,
        { mediaType: '', digest: promised, size: bytes.length },
        `${digest} with ${bytes.length}`,
      );
    }
  }
  const envelope = decodeJson(bytes, envelopeSchema, { code: 'registry', what: `the manifest ${where}`, hint: HINT });
  if (envelope.schemaVersion !== 2)
    throw unusable(where, `Docker schema ${envelope.schemaVersion} is no longer in use`);
  const header = options.contentType?.split(';')[0]?.trim();
  const mediaType =
    envelope.mediaType ?? (header && (isIndexType(header) || isManifestType(header)) ? header : guessType(envelope));
  if (mediaType === undefined || !(isIndexType(mediaType) || isManifestType(mediaType))) {
    throw unusable(
      where,
      `its type ${JSON.stringify(mediaType ?? header ?? 'unknown')} is not an image manifest or index`,
    );
  }
  return { bytes, mediaType, digest };
};

/** What a manifest says: that of one image, or an index of several. */
export type ManifestContent = (ImageManifest & { readonly kind: 'image' }) | (ImageIndex & { readonly kind: 'index' });

/** `where` names the manifest in messages. Throws UserError `registry` when its shape is not that of its type. */
export const parseManifest = (manifest: StoredManifest, where: string = manifest.digest): ManifestContent =>
  isIndexType(manifest.mediaType)
    ? { ...parseIndex(manifest, where), kind: 'index' }
    : { ...parseImageManifest(manifest, where), kind: 'image' };

/** The manifest of one image. Throws UserError `registry` for anything else. */
export const parseImageManifest = ({ bytes, digest }: StoredManifest, where: string = digest): ImageManifest =>
  decodeDocument(bytes, manifestSchema, where);

/** An index. Throws UserError `registry` for anything else. */
export const parseIndex = ({ bytes, digest }: StoredManifest, where: string = digest): ImageIndex =>
  decodeDocument(bytes, indexSchema, where);

/** The descriptor that names a manifest. */
export const descriptorOf = ({ mediaType, digest, bytes }: StoredManifest): Descriptor => ({
  mediaType,
  digest,
  size: bytes.length,
});
