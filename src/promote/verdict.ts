import { type LiveChannel, moverOf } from '../channel/channel.ts';
import type { RecordedPromotion } from '../channel/record.ts';
import { compareRuns, imageRun, type RunIdentity } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';

/** What may be done about a channel: `newer`: a newer run has moved it; `older`: the image is an older one than it means. */
export type MoveVerdict =
  | { readonly kind: 'move' | 'same' }
  | { readonly kind: 'newer' | 'older'; readonly run: string };

/** What counts: `forward`: neither runs nor images go back; `runs`: the image may be an older one; `any`: all may go back. */
export type Order = 'forward' | 'runs' | 'any';

/**
 * Whether a channel may move to `image`. Runs of one repository are ordered by their ids; where one of two does not say, or they are of
 * different repositories, nothing is known and nothing is in the way.
 */
export function judge(
  image: StoredManifest,
  live: LiveChannel | undefined,
  { run, order }: { readonly run: RunIdentity | undefined; readonly order: Order },
): MoveVerdict {
  if (live === undefined) return { kind: 'move' };
  if (live.image.digest === image.digest) return { kind: 'same' };
  if (order === 'any') return { kind: 'move' };
  const mover = moverOf(live);
  if (mover && run && compareRuns(mover, run) > 0) return { kind: 'newer', run: mover.id };
  const [old, now] = [imageRun(live.image), imageRun(image)];
  if (order === 'forward' && old && now && compareRuns(old, now) > 0) return { kind: 'older', run: old.id };
  return { kind: 'move' };
}

/** The number of a new record: it follows all that its maker sees. */
export const nextNumber = (live: LiveChannel | undefined, own: readonly RecordedPromotion[]): number =>
  Math.max(live?.head?.number ?? 0, ...own.map(({ number }) => number)) + 1;
