import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { newerRun, type RunIdentity } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import { type ReadTag, readTagsOnce } from '../storage/read-tag.ts';
import { statusOf } from '../storage/registry/failure.ts';
import type { ImageSource } from '../storage/source.ts';
import type { Target, WhyLeft } from './target.ts';

/** Tags looked up at once at all destinations. */
const LOOKUPS_AT_ONCE = 8;

/** A tag to move, and what it means before. */
export interface TagMove {
  readonly repository: Repository;
  readonly tag: string;
  /** `none` where the tag does not exist, `unknown` where that cannot be told. */
  readonly before: Digest | 'none' | 'unknown';
  /** Why it is left alone, where something newer has moved it: `the newer run 12 has moved it`. */
  readonly newer?: string | undefined;
  /** The target's. */
  readonly whyLeft?: WhyLeft | undefined;
}

/** Looks up what the tags mean now at every destination, in the targets' order, and whether a newer run than `run` made it. */
export function lookAtTags(targets: readonly Target[], read: ReadTag, run?: RunIdentity): Promise<TagMove[]> {
  const wanted = targets.flatMap(({ repository, tags, whyLeft }) => tags.map((tag) => ({ repository, tag, whyLeft })));
  return mapParallel(wanted, LOOKUPS_AT_ONCE, async (move) => {
    const live = await meaningOf(move.repository, move.tag, read);
    if (typeof live === 'string') return { ...move, before: live };
    return { ...move, before: live.digest, newer: newerIn(live, run) };
  });
}

export const newerText = (run: string): string => `the newer run ${run} has moved it`;

function newerIn(live: StoredManifest, run: RunIdentity | undefined): string | undefined {
  const newer = run && newerRun(live, run);
  return newer === undefined ? undefined : newerText(newer);
}

async function meaningOf(
  repository: ImageSource,
  tag: string,
  read: ReadTag,
): Promise<StoredManifest | 'none' | 'unknown'> {
  try {
    return (await read(repository, tag)) ?? 'none';
  } catch (error) {
    // Something of another kind under the tag, or no right to read, is no reason not to move it.
    if (error instanceof UserError && error.code !== 'cancelled') return 'unknown';
    throw error;
  }
}

/**
 * Points every tag at the index and commits the destinations, in their order. A tag that means it already is left alone, so
 * that tags which cannot be changed may be published again. At each destination those that exist come first: where one is
 * refused because it must not change, none that is new has appeared beside it. A tag that something newer has moved is left alone
 * with a warning: a re-run of an old run must not take a branch back. Returns those that were left. Throws UserError that says what has moved
 * and what has not.
 */
export async function moveTags(
  targets: readonly Target[],
  moves: readonly TagMove[],
  index: StoredManifest,
  log: Log,
): Promise<readonly TagMove[]> {
  const isRight = ({ before }: TagMove): boolean => before === index.digest;
  for (const { repository, tag } of moves.filter(isRight))
    log.info(`${repository.name}: ${tag} means ${index.digest} already`);
  const left = moves.filter((move) => !isRight(move) && move.newer !== undefined);
  const todo = moves.filter((move) => !isRight(move) && move.newer === undefined);
  for (const { repository, tag, newer } of left)
    log.warn(`${repository.name}: ${tag} is not moved: ${newer} (move-back moves it nevertheless)`);
  for (const { repository, tag, before } of todo.filter(isOfCommit))
    log.warn(`${repository.name}: ${tag} meant ${before}: the same commit now gives another image`);
  const moved: TagMove[] = [];
  for (const { repository, isHeldOpen } of targets) {
    const own = todo.filter((move) => move.repository === repository);
    for (const move of [...own.filter(exists), ...own.filter((each) => !exists(each))]) {
      const why = await move.whyLeft?.(move.tag);
      if (why !== undefined) {
        log.warn(`${repository.name}: ${move.tag} is not moved: ${why}`);
        left.push(move);
        continue;
      }
      await moveTag(move, index).catch((error: unknown) => {
        throw error instanceof UserError && error.code !== 'cancelled'
          ? refusal(error, move, index, { moved, todo })
          : error;
      });
      moved.push(move);
    }
    if (!isHeldOpen) await repository.commit();
  }
  return left;
}

/** Whether a tag that names a commit exists already, and so changes its meaning. */
const isOfCommit = ({ tag, before }: TagMove): boolean => /^sha-[0-9a-f]{7,64}$/.test(tag) && isDigest(before);

const exists = ({ before }: TagMove): boolean => before !== 'none';

async function moveTag({ repository, tag }: TagMove, index: StoredManifest): Promise<void> {
  try {
    await repository.tag(tag, index);
  } catch (error) {
    // The answer to a PUT that worked may have been lost, and the tag be fixed since; or another publish was faster.
    const live = await meaningOf(repository, tag, readTagsOnce());
    if (typeof live === 'string' || live.digest !== index.digest) throw error;
  }
}

/** What registries say of a tag that must not change: ECR, Google, Harbor, Docker Hub, Quay and ACR, each in its own words. */
const IS_FIXED = /immutab|cannot be (?:overwritten|changed|updated)|already exists|TAG_INVALID|tag is locked/i;

/** An error that says what has become of all tags. */
function refusal(
  error: UserError,
  { repository, tag, before }: TagMove,
  index: StoredManifest,
  { moved, todo }: { readonly moved: readonly TagMove[]; readonly todo: readonly TagMove[] },
): UserError {
  const isFixed = [400, 403, 409, 412].includes(statusOf(error) ?? 0) && IS_FIXED.test(error.message);
  const left = todo.filter((move) => !moved.includes(move));
  const what = [
    isFixed
      ? `${repository.name} does not let the tag ${tag} change: it means ${before}, and ${index.digest} was to be published.`
      : `${repository.name}: the tag ${tag} could not be moved to ${index.digest}.`,
    error.message,
    moved.length > 0 ? `Moved before: ${names(moved)}.` : 'No tag was moved.',
    left.length > 1 ? `Not moved: ${names(left)}.` : '',
  ];
  return new UserError(isFixed ? 'registry' : error.code, what.filter(Boolean).join(' '), {
    hint: isFixed ? `${FIXED_TAG.hint} The image itself is there, by its digest.` : error.hint,
    docs: isFixed ? FIXED_TAG.docs : error.docs,
    cause: error.cause,
  });
}

/** What to do about a tag that a repository does not let change. */
export const FIXED_TAG = {
  hint: 'Publish under a new tag, or delete this one, or allow changes in the settings of the repository (tag immutability).',
  docs: 'troubleshooting.md#repository-does-not-let-the-tag-tag-change-',
} as const;

const names = (moves: readonly TagMove[]): string =>
  moves.map(({ repository, tag }) => `${repository.name} ${tag}`).join(', ');
