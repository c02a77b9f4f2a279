import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, digestSchema } from '../oci/digest.ts';
import { indexBytes } from '../oci/manifest.ts';
import { isIndexType, MEDIA_TYPE } from '../oci/media-type.ts';
import { descriptorOf, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from './destination.ts';
import type { ImageSource } from './source.ts';

/** The tag that lists what refers to `digest`, where a place has no other list (distribution-spec, "Referrers Tag Schema"). */
const referrersTag = (digest: Digest): string => digest.replace(':', '-');

/** Whether a tag is the list of what refers to a manifest, and no image. */
export const isReferrersTag = (tag: string | undefined): boolean => /^sha256-[0-9a-f]{64}$/.test(tag ?? '');

/** What the tag of `digest` lists; empty where there is none. Throws as `getManifest` does. */
export async function taggedReferrers(
  source: Pick<ImageSource, 'getManifest'>,
  digest: Digest,
): Promise<readonly Descriptor[]> {
  const list = await source.getManifest(referrersTag(digest));
  return list !== undefined && isIndexType(list.mediaType) ? parseIndex(list).manifests : [];
}

const subjectSchema = z.looseObject({ subject: z.looseObject({ digest: digestSchema }) });

/** The manifests of a layout that refer to `digest`: those that its tag lists, and those of its index that say so. */
export async function layoutReferrers(
  source: Pick<ImageSource, 'getManifest'>,
  entries: readonly Descriptor[],
  digest: Digest,
): Promise<readonly Descriptor[]> {
  const found = new Map((await taggedReferrers(source, digest)).map((entry) => [entry.digest, entry]));
  for (const entry of entries) {
    const manifest = found.has(entry.digest) ? undefined : await source.getManifest(entry.digest);
    if (manifest && tryDecodeJson(manifest.bytes, subjectSchema)?.subject.digest === digest)
      found.set(entry.digest, descriptorOf(manifest));
  }
  return [...found.values()];
}

/**
 * Sees to it that `to`, which has the manifests of `referrers`, lists them as what refers to `digest`: places that do not do
 * that by themselves get a tag.
 */
export async function listReferrers(to: Repository, digest: Digest, referrers: readonly Descriptor[]): Promise<void> {
  const listed = await to.getReferrers(digest);
  const missing = referrers.filter((one) => !listed.some((other) => other.digest === one.digest));
  if (missing.length === 0) return;
  const bytes = indexBytes([...listed, ...missing], {});
  const list: StoredManifest = { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
  await to.tag(referrersTag(digest), list);
}
