import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import { isNewer, type Marker, markerLine, readMarker } from './marker.ts';

/** @internal A comment on a pull request. */
export interface PreviewComment {
  /** It grows with time. */
  readonly id: number;
  /** Login of whoever wrote it. */
  readonly author: string;
  readonly body: string;
}

/** @internal The comments on one pull request. Methods throw UserError. */
export interface CommentPlace {
  /** All of them. */
  list(): Promise<readonly PreviewComment[]>;
  create(body: string): Promise<PreviewComment>;
  /** False where it is gone. */
  update(id: number, body: string): Promise<boolean>;
  /** Nothing where it is gone. */
  remove(id: number): Promise<void>;
}

/** What became of the comment; `newer`: a newer run has written it, and it was left alone. */
export interface StickyOutcome {
  readonly kind: 'created' | 'updated' | 'unchanged' | 'newer';
  readonly id: number;
  /** Who writes with this token: whose comments count. */
  readonly author: string;
}

interface StickyText {
  readonly marker: Marker;
  /** What stands below the marker. */
  readonly text: string;
  /** Login of whoever writes with this token, as far as that is known. */
  readonly author: string;
}

/** Milliseconds after which a comment that was written is looked at again: longer than another run takes from reading it to writing it. */
const SETTLED = 2000;

/** Looks at the comments until nothing is left to do. Each other run that writes at the same time costs one more. */
const ROUNDS = 6;

/** The comments of `author` with this key, oldest first. A stranger may copy the marker, but not write as somebody else. */
export const ownComments = (
  comments: readonly PreviewComment[],
  { key, author }: { readonly key: string; readonly author: string },
): { readonly comment: PreviewComment; readonly marker: Marker }[] =>
  comments
    .flatMap((comment) => {
      const marker = readMarker(comment.body);
      return marker?.key === key && comment.author === author ? [{ comment, marker }] : [];
    })
    .sort((a, b) => a.comment.id - b.comment.id);

/**
 * Puts a text into the one comment of its key. GitHub knows neither "create unless it is there" nor "write if it is still what I have read",
 * so what was done is looked at after a while: of several comments the oldest stays and gets the text, and a text of an older run is
 * written over again. What a newer run has written is left alone. Throws UserError as the place does.
 */
export async function putSticky(
  place: CommentPlace,
  { marker, text, author: given }: StickyText,
  clock: Pick<Clock, 'sleep'>,
): Promise<StickyOutcome> {
  const body = `${markerLine(marker)}\n${text}`;
  const made = new Set<number>();
  let author = given;
  let kind: StickyOutcome['kind'] = 'unchanged';
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round > 0) await clock.sleep(SETTLED);
    const own = ownComments(await place.list(), { key: marker.key, author });
    const newer = own.find((one) => isNewer(one.marker, marker))?.comment;
    if (newer) {
      // Nobody folds what came after the newer run had ended. One that came before is its oldest, and has its text by now.
      for (const id of made) if (id > newer.id) await place.remove(id);
      return { kind: 'newer', id: newer.id, author };
    }
    const [oldest, ...rest] = own.map(({ comment }) => comment);
    if (!oldest) {
      // Who writes is known for sure only now: a token of an App or a person has another name.
      const comment = await place.create(body);
      author = comment.author;
      made.add(comment.id);
      kind = 'created';
      continue;
    }
    if (oldest.body === body && rest.length === 0) return { kind, id: oldest.id, author };
    if (oldest.body !== body) {
      if (!(await place.update(oldest.id, body))) continue;
      if (kind === 'unchanged') kind = 'updated';
    }
    for (const { id } of rest) await place.remove(id);
  }
  throw new UserError('registry', 'the comment on the pull request changes all the time', {
    hint: 'Give each workflow that comments a `name` of its own, and let its runs wait for one another (concurrency).',
    docs: 'previews.md#the-comment',
  });
}
