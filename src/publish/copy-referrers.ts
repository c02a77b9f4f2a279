import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/retry.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { Referrer } from '../oci/referrer.ts';
import { type AttachedTag, attachedTags } from '../storage/attached-tags.ts';
import { type CopyTools, copyManifestTree } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import { listReferrers } from '../storage/list-referrers.ts';
import { readReferrers } from '../storage/referrers.ts';
import type { ImageSource } from '../storage/source.ts';

/** A signature of an SBOM of an image is at level 2; deeper ones than this are an attack, or a mistake. */
const LEVELS = 8;

/** What was copied with an image. */
interface Attached {
  /** How many signatures, attestations and the like. */
  readonly count: number;
  readonly manifests: readonly StoredManifest[];
  readonly blobs: readonly Descriptor[];
}

export const NOTHING: Attached = { count: 0, manifests: [], blobs: [] };

interface ReferrersWay extends CopyTools {
  readonly from: ImageSource;
  readonly to: readonly Repository[];
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Copies what refers to the manifests of an image, which are at the destinations already, and what refers to that: by `subject`,
 * and by cosign's own tags. At the end every destination lists what has a subject. Throws UserError.
 */
export async function copyReferrers(manifests: readonly StoredManifest[], way: ReferrersWay): Promise<Attached> {
  const { from, to, log, signal } = way;
  if (to.length === 0) return NOTHING;
  const seen = new Map<Digest, StoredManifest>(manifests.map((manifest) => [manifest.digest, manifest]));
  const attached = { count: 0, manifests: [] as StoredManifest[], blobs: [] as Descriptor[] };
  const tags: AttachedTag[] = [];
  let subjects: readonly Digest[] = [...seen.keys()];
  for (let level = 1; subjects.length > 0; level += 1) {
    const below: Digest[] = [];
    for (const subject of subjects) {
      signal.throwIfAborted();
      const referrers = await readReferrers(from, subject, { log });
      const own = await attachedTags(from, subject);
      tags.push(...own);
      for (const { manifest, what } of [...referrers.map(asAttached), ...own.map(asTagged)]) {
        if (seen.has(manifest.digest)) continue;
        if (level > LEVELS) throw tooDeep(from, subject);
        const tree = await copyManifestTree(manifest, from, to, way).catch((error: unknown) => {
          throw refused(error, what, subject);
        });
        for (const one of tree.manifests.filter(({ digest }) => !seen.has(digest))) {
          seen.set(one.digest, one);
          below.push(one.digest);
        }
        attached.count += 1;
        attached.manifests.push(...tree.manifests);
        attached.blobs.push(...tree.blobs);
      }
    }
    subjects = below;
  }
  for (const repository of to) {
    // What has a subject within an index, such as BuildKit's attestations, is listed by registries too.
    await listReferrers(repository, [...seen.values()], way);
    for (const tag of tags) await putAttachedTag(repository, tag, log);
  }
  return attached;
}

interface Found {
  readonly manifest: StoredManifest;
  /** What it is, for messages. */
  readonly what: string;
}

const asAttached = ({ manifest, descriptor }: Referrer): Found => ({
  manifest,
  what: `${manifest.digest} (${descriptor.artifactType ?? manifest.mediaType})`,
});

const asTagged = ({ manifest, tag }: AttachedTag): Found => ({ manifest, what: `${manifest.digest} (${tag})` });

const tooDeep = (from: ImageSource, subject: Digest): UserError =>
  new UserError(
    'registry',
    `${from.name} has what refers to ${subject}, which itself is ${LEVELS} levels above the image`,
    {
      hint: 'Copy without what refers to the image (--no-referrers).',
    },
  );

/** Registries without room for artifacts say so in many ways; what they say is in the message. */
function refused(error: unknown, what: string, subject: Digest): unknown {
  if (!(error instanceof UserError) || error.code === 'cancelled') return error;
  return new UserError(error.code, `cannot copy ${what}, which refers to ${subject}: ${error.message}`, {
    hint: `${error.hint ?? 'Look at what the registry says.'} To copy the image alone, use --no-referrers.`,
    docs: error.docs ?? 'registries.md#copies',
    cause: error.cause,
  });
}

/** Points cosign's tag at what the source has, unless that would lose what was attached at the destination alone. */
async function putAttachedTag(to: Repository, { tag, manifest }: AttachedTag, log: Log): Promise<void> {
  const there = await to.getManifest(tag);
  if (there?.digest === manifest.digest) return;
  const lost = there === undefined ? [] : contentOf(there).filter((digest) => !contentOf(manifest).includes(digest));
  if (lost.length === 0) await to.tag(tag, manifest);
  else log.warn(`${to.name}: ${tag} is not moved: it has ${lost.length} that the source does not have`);
}

/** Digests of what a manifest holds. */
function contentOf(manifest: StoredManifest): readonly Digest[] {
  const content = parseManifest(manifest);
  return (content.kind === 'index' ? content.manifests : content.layers).map(({ digest }) => digest);
}
