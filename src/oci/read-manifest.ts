import { z } from 'zod';
import { parseShallow } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf, isDigest } from './digest.ts';
import { digestMismatch } from './digest-check.ts';
import { indexSchema, manifestSchema } from './manifest.ts';
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

/** A manifest's references, as far as moving it needs them. */
export type ManifestContent =
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] };

const unusable = (where: string, what: string, cause?: unknown): UserError =>
  new UserError('registry', `the manifest ${where} is not valid: ${what}`, {
    hint: 'Build and push the image again with a current tool.',
    cause,
  });

const parseJson = (bytes: Uint8Array, where: string): unknown => {
  try {
    return parseShallow(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw unusable(where, 'it is not JSON', error);
  }
};

// Without a mediaType the shape tells: OCI made the field optional.
const guessType = (json: unknown): string | undefined => {
  if (indexSchema.safeParse(json).success) return MEDIA_TYPE.index;
  return manifestSchema.safeParse(json).success ? MEDIA_TYPE.manifest : undefined;
};

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
  const json = parseJson(bytes, where);
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) throw unusable(where, 'it has no schemaVersion', envelope.error);
  if (envelope.data.schemaVersion !== 2)
    throw unusable(where, `Docker schema ${envelope.data.schemaVersion} is no longer in use`);
  const header = options.contentType?.split(';')[0]?.trim();
  const mediaType =
    envelope.data.mediaType ?? (header && (isIndexType(header) || isManifestType(header)) ? header : guessType(json));
  if (mediaType === undefined || !(isIndexType(mediaType) || isManifestType(mediaType))) {
    throw unusable(
      where,
      `its type ${JSON.stringify(mediaType ?? header ?? 'unknown')} is not an image manifest or index`,
    );
  }
  return { bytes, mediaType, digest };
};

/** What a manifest refers to. Throws UserError `registry` when its shape is not that of its type. */
export const parseManifest = (manifest: StoredManifest): ManifestContent => {
  const json = parseJson(manifest.bytes, manifest.digest);
  if (isIndexType(manifest.mediaType)) {
    return { kind: 'index', manifests: checked(json, indexSchema, manifest, 'index').manifests };
  }
  const { config, layers } = checked(json, manifestSchema, manifest, 'image manifest');
  return { kind: 'image', config, layers };
};

const checked = <T>(json: unknown, schema: z.ZodType<T>, { digest }: StoredManifest, what: string): T => {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw unusable(digest, `not a valid ${what}: ${z.prettifyError(result.error)}`);
};

/** The descriptor that names a manifest. */
export const descriptorOf = ({ mediaType, digest, bytes }: StoredManifest): Descriptor => ({
  mediaType,
  digest,
  size: bytes.length,
});
