import { UserError } from '../core/error.ts';
import { isDigest } from '../oci/digest.ts';
import type { RunIdentity } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { ReadTag } from '../storage/read-tag.ts';
import { FIXED_TAG, lookAtTags } from './move-tags.ts';
import type { Target } from './target.ts';

/** What is known of the tags before anything is sent. */
interface Knowledge {
  /** Whether a tag of a repository, by its name in messages, cannot be moved. */
  readonly isFixed: (repository: string, tag: string) => boolean;
  /** Whether what a tag means is certainly not what is to be published. */
  readonly isOther: (manifest: StoredManifest) => boolean;
  readonly read: ReadTag;
  /** This run, where tags that a newer one has moved are left alone. */
  readonly run: RunIdentity | undefined;
}

/**
 * Throws UserError `registry` where a tag would have to move that its repository does not let move, as far as that is certain:
 * before the image is made and sent for nothing.
 */
export async function checkFixedTags(
  targets: readonly Target[],
  { isFixed, isOther, read, run }: Knowledge,
): Promise<void> {
  const fixed = targets
    .map((target) => ({ ...target, tags: target.tags.filter((tag) => isFixed(target.repository.name, tag)) }))
    .filter(({ tags }) => tags.length > 0);
  for (const { repository, tag, before, newer } of await lookAtTags(fixed, read, run)) {
    if (!isDigest(before) || newer !== undefined) continue;
    const manifest = await read(repository, tag);
    if (manifest === undefined || !isOther(manifest)) continue;
    throw new UserError(
      'registry',
      `${repository.name} does not let the tag ${tag} change: it means ${before}, and another image was to be published; nothing was sent`,
      FIXED_TAG,
    );
  }
}
