import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { digestSchema } from './digest-schema.ts';
import { descriptorOf, type StoredManifest } from './read-manifest.ts';

/** A manifest that names another one as its subject: a signature, an SBOM, an attestation. */
export interface Referrer {
  readonly manifest: StoredManifest;
  readonly subject: Digest;
  /** As a list of referrers has it: with artifactType and annotations, both from the manifest itself. */
  readonly descriptor: Descriptor;
}

const contentSchema = z.looseObject({
  subject: z.looseObject({ digest: digestSchema }),
  artifactType: z.string().nullish().catch(undefined),
  config: z.looseObject({ mediaType: z.string() }).optional().catch(undefined),
  annotations: z.record(z.string(), z.string()).nullish().catch(undefined),
});

/**
 * What a manifest says of itself as a referrer; undefined for one without a subject. Its type is `artifactType`, or else the media
 * type of its config (distribution-spec 1.1, "Listing Referrers").
 */
export function referrerOf(manifest: StoredManifest): Referrer | undefined {
  const content = tryDecodeJson(manifest.bytes, contentSchema);
  if (content === undefined) return undefined;
  const { subject, config, annotations } = content;
  const artifactType = content.artifactType || config?.mediaType;
  const descriptor = {
    ...descriptorOf(manifest),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations == null ? {} : { annotations }),
  };
  return { manifest, subject: subject.digest, descriptor };
}

/** One list of what several lists have, in their order; of two descriptors of one manifest the later counts. */
export const mergeDescriptors = (...lists: readonly (readonly Descriptor[])[]): Descriptor[] => [
  ...new Map(lists.flat().map((one) => [one.digest, one])).values(),
];
