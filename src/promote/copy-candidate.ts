import type { Log } from '../core/log.ts';
import type { Clock } from '../core/retry.ts';
import { copyReferrers } from '../publish/copy-referrers.ts';
import { readBack } from '../publish/read-back.ts';
import { checkSizesIn } from '../storage/blob-limit.ts';
import { copyManifestTree } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { ImageToPromote } from './checks.ts';

interface CopyCandidateOptions {
  /** Whether what refers to the image goes along, such as signatures. */
  readonly referrers: boolean;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Copies an image to the repositories that it is not in, with what refers to it, and reads back; no tag moves. Blobs are mounted where
 * the registry can do that. Returns how many referrers went along. Throws UserError.
 */
export async function copyCandidate(
  { source, image }: ImageToPromote,
  repositories: readonly Repository[],
  { referrers, log, clock, signal }: CopyCandidateOptions,
): Promise<number> {
  const to = repositories.filter(({ name }) => name !== source.name);
  if (to.length === 0) return 0;
  await checkSizesIn(image, source, to);
  const copied = await copyManifestTree(image, source, to, { signal });
  const attached = referrers
    ? await copyReferrers(copied.manifests, { from: source, to, log, clock, signal })
    : { count: 0, manifests: [], blobs: [] };
  for (const repository of to) {
    await readBack(
      [...copied.manifests, ...attached.manifests],
      [...copied.blobs, ...attached.blobs],
      repository,
      false,
    );
    log.info(`${repository.name}: verified ${image.digest}`);
  }
  return attached.count;
}
