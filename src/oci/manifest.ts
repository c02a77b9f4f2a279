import { z } from 'zod';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import { type Descriptor, descriptorSchema } from './descriptor.ts';
import { MEDIA_TYPE } from './media-type.ts';

/** Layers of an image, and entries of an index, at most: clients stop at 128 layers, and each costs a request or two here. */
const ENTRY_LIMIT = 1000;

const descriptors = z.array(descriptorSchema).max(ENTRY_LIMIT, `expected at most ${ENTRY_LIMIT} entries`);

/** OCI image-spec, manifest.md; Docker's schema 2 has the same members. */
export const manifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  /** What an artifact is; images have none. */
  artifactType: z.string().optional().catch(undefined),
  config: descriptorSchema,
  layers: descriptors,
  annotations: z.record(z.string(), z.string()).optional(),
});

/** OCI image-spec, image-index.md; Docker's manifest list has the same members. */
export const indexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: descriptors,
  annotations: z.record(z.string(), z.string()).optional(),
});

export type ImageManifest = z.infer<typeof manifestSchema>;
export type ImageIndex = z.infer<typeof indexSchema>;

type Annotations = Readonly<Record<string, string>>;

const withAnnotations = (annotations: Annotations): { [key: string]: Json } =>
  Object.keys(annotations).length > 0 ? { annotations: { ...annotations } } : {};

interface ManifestTypes {
  readonly mediaType?: string;
  readonly artifactType?: string | undefined;
}

/** The bytes of an image manifest, or of an artifact's: equal input, equal bytes. */
export const manifestBytes = (
  config: Descriptor,
  layers: readonly Descriptor[],
  annotations: Annotations,
  { mediaType = MEDIA_TYPE.manifest, artifactType }: ManifestTypes = {},
): Buffer =>
  Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType,
      ...(artifactType === undefined ? {} : { artifactType }),
      config: config as Json,
      layers: layers as readonly Json[],
      ...withAnnotations(annotations),
    }),
  );

/** The bytes of an index over manifests whose descriptors carry their platform; sorted by platform, then digest. */
export function indexBytes(
  manifests: readonly Descriptor[],
  annotations: Annotations,
  mediaType: string = MEDIA_TYPE.index,
): Buffer {
  const key = ({ platform, digest }: Descriptor): string =>
    [platform?.os, platform?.architecture, platform?.variant ?? '', digest].join('\0');
  const sorted = [...manifests].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType,
      manifests: sorted as readonly Json[],
      ...withAnnotations(annotations),
    }),
  );
}
