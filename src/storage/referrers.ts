import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType } from '../oci/media-type.ts';
import { parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import { mergeDescriptors, type Referrer, referrerOf } from '../oci/referrer.ts';
import type { ImageSource } from './source.ts';

/** Manifests read at once: enough to hide the latency of a registry. */
const READS_AT_ONCE = 4;

/** The tag that lists what refers to `digest`, where a place has no other list (distribution-spec, "Referrers Tag Schema"). */
export const referrersTag = (digest: Digest): string => digest.replace(':', '-');

/** What is under the tag of `digest`, where that can be a list. */
export async function listUnderTag(
  source: Pick<ImageSource, 'getManifest'>,
  digest: Digest,
): Promise<StoredManifest | undefined> {
  const list = await source.getManifest(referrersTag(digest));
  // GitLab's registry takes the tag for the digest and answers with the manifest itself.
  return list?.digest === digest ? undefined : list;
}

/** What the tag of `digest` lists; empty where there is none. Throws as `getManifest` does. */
export async function taggedReferrers(
  source: Pick<ImageSource, 'getManifest'>,
  digest: Digest,
): Promise<readonly Descriptor[]> {
  const list = await listUnderTag(source, digest);
  return list !== undefined && isIndexType(list.mediaType) ? parseIndex(list).manifests : [];
}

/** What the manifests of a layout refer to. Digests do not change their content, so each is read once. */
export class LayoutSubjects {
  readonly #subjects = new Map<Digest, Digest | undefined>();

  /** The manifests that refer to `digest`: those that its tag lists, and those of the layout's index that say so. */
  async referrers(
    source: Pick<ImageSource, 'getManifest'>,
    entries: readonly Descriptor[],
    digest: Digest,
  ): Promise<readonly Descriptor[]> {
    const own: Descriptor[] = [];
    for (const entry of entries) {
      if (!this.#subjects.has(entry.digest)) {
        const manifest = await source.getManifest(entry.digest);
        this.#subjects.set(entry.digest, manifest && referrerOf(manifest)?.subject);
      }
      if (this.#subjects.get(entry.digest) === digest) own.push(entry);
    }
    return mergeDescriptors(own, await taggedReferrers(source, digest));
  }
}

interface ReadOptions {
  /** Only those of this type. */
  readonly artifactType?: string | undefined;
  readonly log: Log;
}

/**
 * What refers to `subject`, sorted by digest. Lists are hints: those that other clients wrote have wrong types and no
 * annotations, or name what is gone or refers to something else, so each manifest is read itself. Throws as the source does.
 */
export async function readReferrers(
  source: ImageSource,
  subject: Digest,
  { artifactType, log }: ReadOptions,
): Promise<Referrer[]> {
  const { entries } = await source.getReferrers(subject, artifactType);
  const read = await mapParallel(entries, READS_AT_ONCE, async ({ digest }) => {
    const manifest = await source.getManifest(digest);
    if (manifest === undefined) log.warn(`${source.name} lists ${digest} for ${subject}, and does not have it`);
    return manifest && referrerOf(manifest);
  });
  return read
    .filter((one): one is Referrer => one?.subject === subject)
    .filter(({ descriptor }) => artifactType === undefined || descriptor.artifactType === artifactType)
    .sort((a, b) => (a.manifest.digest < b.manifest.digest ? -1 : 1));
}
