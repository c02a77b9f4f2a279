import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { backoff, type Clock, sleep } from '../core/retry.ts';
import { compareRuns, type RunIdentity, type StartedRun } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { LOOKS, SETTLE } from '../storage/list-referrers.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { lookAtTags, moveTags, type TagMove } from './move-tags.ts';
import { heedPromotions, moverIn } from './promoted-tags.ts';
import type { Target } from './target.ts';

/** How often a tag is moved again because an older run has moved it back. */
const REPAIRS = 5;

/** How tags of a run are moved and kept. */
interface ForwardOptions {
  /** Undefined where this is not a run, or tags may be moved back: then there is no order to keep. */
  readonly run: StartedRun | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

interface SettleOptions extends ForwardOptions {
  readonly run: RunIdentity;
}

/** What became of tags. */
export interface MovedForward {
  /** Those that were left alone. */
  readonly left: readonly TagMove[];
  /** Until the others stay: nobody is to be told of them before. Rejects with UserError `registry` where one does not. */
  readonly settled: Promise<void>;
}

/**
 * As `moveTags`, by a run that may not be the newest: what the tags mean is looked up again right before they move, since `moves` may be as
 * old as the layers took to be sent, with what promotions have done to them, and afterwards until no older run can have moved one back. That takes a second or two, in which
 * other images can be published.
 */
export async function moveForward(
  targets: readonly Target[],
  moves: readonly TagMove[],
  image: StoredManifest,
  { run, log, ...tools }: ForwardOptions,
): Promise<MovedForward> {
  const isRight = moves.every(({ before }) => before === image.digest);
  if (run === undefined || isRight)
    return { left: await moveTags(targets, moves, image, log), settled: Promise.resolve() };
  const fresh = await heedPromotions(await lookAtTags(targets, readTagsOnce(), run), image, run, log);
  const left = await moveTags(targets, fresh, image, log);
  // A new tag too: a clean-up that removed the image at that moment has taken it along.
  const moved = fresh.filter((move) => !move.newer && move.before !== image.digest && !left.includes(move));
  const settled = settleTags(image, moved, { run, log, ...tools });
  // Whoever waits for it does so later.
  settled.catch(() => undefined);
  return { left, settled };
}

/**
 * Looks at tags that were moved until every older run that read them before has written, and moves them again where one did, or where a
 * clean-up took one along with the image that it meant before: nothing locks a tag. Throws UserError `registry` for one that does not stay.
 */
export async function settleTags(
  image: StoredManifest,
  moved: readonly TagMove[],
  options: SettleOptions,
): Promise<void> {
  const shared = moved.filter(({ repository }) => repository.isShared);
  await Promise.all(shared.map((move) => settle(image, move, options)));
}

async function settle(image: StoredManifest, move: TagMove, options: SettleOptions): Promise<void> {
  const { run, log, clock, signal } = options;
  const { repository, tag } = move;
  const look = async (): Promise<'ours' | 'newer' | 'gone' | RunIdentity> => {
    const live = await repository.getManifest(tag);
    if (live === undefined) return 'gone';
    if (live.digest === image.digest) return 'ours';
    const mover = await moverIn(move, live, log);
    return mover && compareRuns(mover, run) < 0 ? mover : 'newer';
  };
  for (let repairs = 0; repairs <= REPAIRS; repairs += 1) {
    const written = clock.now();
    let seen = await look();
    // What is read may be older than what was written.
    for (let tries = 1; (typeof seen === 'object' || seen === 'gone') && tries < LOOKS.attempts; tries += 1) {
      await sleep(clock, backoff(LOOKS, tries, clock.random()), signal);
      seen = await look();
    }
    if (seen === 'ours') {
      // Who reads what is so old may write that late, too.
      await sleep(clock, clock.now() - written + SETTLE * (1 + clock.random()), signal);
      seen = await look();
    }
    if (seen === 'newer') return;
    const why = await move.whyLeft?.(tag);
    // What is still there then, whoever has a reason to leave it removes: the job that comments, and the sweep.
    if (why !== undefined) log.warn(`${repository.name}: ${tag} was moved, but ${why}`);
    if (why !== undefined || seen === 'ours') return;
    const what = seen === 'gone' ? 'something has removed' : `the older run ${seen.id} has moved`;
    log.warn(`${repository.name}: ${what} ${tag}; moving it again`);
    await repository.tag(tag, image);
  }
  throw new UserError('registry', `${repository.name}: the tag ${tag} does not stay at ${image.digest}`, {
    hint: 'Older runs keep moving it back: give the jobs that move it one concurrency group.',
  });
}
