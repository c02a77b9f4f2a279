import { moverOf, recordsIn } from '../channel/channel.ts';
import type { RecordedPromotion } from '../channel/record.ts';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import { plainLine } from '../core/printable.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { compareRuns, type RunIdentity, type StartedRun } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import type { TagMove } from './move-tags.ts';

/** Images whose records are read at once at all destinations. */
const READS_AT_ONCE = 8;

/** Tags that nobody promotes to, and that exist again and again: those of commits and of pull requests. */
const NO_CHANNEL = /^(?:sha|pr-\d{1,10})-[0-9a-f]{7,64}$|^pr-\d{1,10}$/;

/**
 * Marks the tags that a promotion or a rollback has moved later than `run` began: a re-run of an old publish must not undo what people decided
 * since. Only tags that exist and would move are asked about, and the records of an image are read once for all of its tags: where there are
 * none, that is two requests an image, the registry's own list and the one under a tag.
 */
export async function heedPromotions(
  moves: readonly TagMove[],
  image: StoredManifest,
  run: StartedRun,
  log: Log,
): Promise<TagMove[]> {
  const isAsked = ({ repository, tag, before, newer }: TagMove): boolean =>
    newer === undefined && before !== image.digest && repository.isShared && !NO_CHANNEL.test(tag);
  const read = recordsOnce(log);
  return await mapParallel(moves, READS_AT_ONCE, async (move) => {
    const { repository, tag, before } = move;
    if (!isAsked(move) || !isDigest(before)) return move;
    const head = (await read(repository, before)).filter((record) => record.channel === tag).at(-1);
    if (head === undefined) return move;
    if (isLater(head, run)) return { ...move, newer: laterText(head, run) };
    log.info(`${repository.name}: ${tag} was promoted at ${head.time}; a publish moves it on without a record`);
    return move;
  });
}

/** The run that gave a tag what it means: the one that promoted it, or else the one that made the image. */
export async function moverIn(
  { repository, tag }: TagMove,
  image: StoredManifest,
  log: Log,
): Promise<RunIdentity | undefined> {
  const records = await recordsAt(repository, image.digest, log);
  return moverOf({ image, head: records.filter(({ channel }) => channel === tag).at(-1) });
}

/** Reads the records of each image once. */
function recordsOnce(log: Log): (from: Repository, image: Digest) => Promise<readonly RecordedPromotion[]> {
  const known = new Map<string, Promise<readonly RecordedPromotion[]>>();
  return (from, image) => {
    const key = `${from.name} ${image}`;
    const asked = known.get(key) ?? recordsAt(from, image, log);
    known.set(key, asked);
    return asked;
  };
}

/** Where records cannot be read, nothing is known of promotions, which is no reason not to publish. */
async function recordsAt(from: Repository, image: Digest, log: Log): Promise<readonly RecordedPromotion[]> {
  try {
    return await recordsIn(from, image, log);
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    log.info(`${from.name}: cannot read promotions of ${image}: ${error.message}`);
    return [];
  }
}

/** By the ids of runs of one repository, and by the time where somebody else promoted: a person, or a run of another repository. */
function isLater({ run: by, time }: RecordedPromotion, run: StartedRun): boolean {
  if (by?.source === run.source) return compareRuns(by, run) > 0;
  return run.began === undefined || Date.parse(time) > run.began;
}

function laterText({ kind, run: by, time }: RecordedPromotion, run: StartedRun): string {
  const who = by === undefined ? 'somebody' : `the run ${by.id}${by.source === run.source ? '' : ` of ${by.source}`}`;
  return plainLine(
    `${who} has ${kind === 'rollback' ? 'rolled it back' : 'promoted it'} at ${time}, later than this run began`,
  );
}
