import type { Log } from '../core/log.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { attachedTags } from '../storage/attached-tags.ts';
import { readReferrers } from '../storage/referrers.ts';
import type { ImageSource } from '../storage/source.ts';

/** What refers to an image: a signature, an SBOM, an attestation. */
export interface InspectedReferrer {
  /** Digest of the index or image that it is about. */
  readonly subject: string;
  readonly artifactType: string | null;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of what it holds, as sent. */
  readonly size: number;
  /** When its maker says that it was made. */
  readonly created: string | null;
  readonly annotations: Readonly<Record<string, string>>;
  /** The tag that it is found by, where that is all that makes it refer to the image (cosign's way before OCI 1.1). */
  readonly tag: string | null;
}

const CREATED = 'org.opencontainers.image.created';

interface InspectOptions {
  /** Only what is of this type. */
  readonly artifactType: string | undefined;
  readonly log: Log;
}

/** What refers to the manifests of `subjects`, one after another. Throws UserError. */
export async function inspectReferrers(
  source: ImageSource,
  subjects: readonly Digest[],
  { artifactType, log }: InspectOptions,
): Promise<InspectedReferrer[]> {
  const found: InspectedReferrer[] = [];
  for (const subject of new Set(subjects)) {
    for (const { manifest, descriptor } of await readReferrers(source, subject, { artifactType, log }))
      found.push(inspected(subject, manifest, { artifactType: descriptor.artifactType, tag: null }));
    for (const { manifest, tag } of await attachedTags(source, subject)) {
      // They have no type of their own; what they hold has one.
      const [first] = contentOf(manifest);
      found.push(inspected(subject, manifest, { artifactType: first?.mediaType, tag }));
    }
  }
  return found.filter((one) => artifactType === undefined || one.artifactType === artifactType);
}

function inspected(
  subject: Digest,
  manifest: StoredManifest,
  { artifactType, tag }: { readonly artifactType: unknown; readonly tag: string | null },
): InspectedReferrer {
  const { annotations = {} } = parseManifest(manifest);
  return {
    subject,
    artifactType: typeof artifactType === 'string' ? artifactType : null,
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    size: contentOf(manifest).reduce((sum, { size }) => sum + size, 0),
    created: annotations[CREATED] ?? null,
    annotations,
    tag,
  };
}

function contentOf(manifest: StoredManifest): readonly Descriptor[] {
  const content = parseManifest(manifest);
  return content.kind === 'index' ? content.manifests : content.layers;
}
