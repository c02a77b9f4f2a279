import { mapParallel } from '../core/parallel.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { referrersTag } from './referrers.ts';
import type { ImageSource } from './source.ts';

/** What cosign keeps under tags of its own: signatures, attestations, SBOMs. */
const SUFFIXES = ['sig', 'att', 'sbom'] as const;

const ATTACHED = new RegExp(`^sha256-[0-9a-f]{64}(?:\\.(?:${SUFFIXES.join('|')}))?$`);

/** Whether a tag is a list of what refers to a manifest, or what cosign attached to one, and not an image. */
export const isAttachedTag = (tag: string | undefined): boolean => ATTACHED.test(tag ?? '');

/** What a tag of cosign's holds. */
export interface AttachedTag {
  readonly tag: string;
  readonly subject: Digest;
  readonly manifest: StoredManifest;
}

/** What cosign attached to a manifest by tags (`sha256-<hex>.sig`), its way from before OCI 1.1. Throws as the source does. */
export async function attachedTags(source: ImageSource, subject: Digest): Promise<AttachedTag[]> {
  const found = await mapParallel(SUFFIXES, SUFFIXES.length, async (suffix) => {
    const tag = `${referrersTag(subject)}.${suffix}`;
    const manifest = await source.getManifest(tag);
    return manifest === undefined ? [] : [{ tag, subject, manifest }];
  });
  return found.flat();
}
