/**
 * The chance that a path which no image needs now is asked for again, against one that some image does: a revert, an old
 * branch. Learning it from what was asked for before gained nothing in a simulated year.
 */
const CHANCE_OF_OLD = 0.02;

/** Seconds that a build takes at least: starting it costs that much, whatever the log says. */
const LEAST_SECONDS = 0.1;

/** Bytes a second that a cached path is fetched, checked and unpacked with. */
const RESTORE_RATE = 50_000_000;

/** Paths up to this size are stored however quickly they are built: what they need for it may not be there. */
const ALWAYS_FETCHED = 5_000_000;

/** What the value of a path follows from. */
export interface Valued {
  readonly seconds: number;
  /** Of its frame. */
  readonly bytes: number;
  /** Whether an image that is built now needs it. */
  readonly isCurrent: boolean;
}

/** Build seconds that storing a path saves, a byte; the higher, the rather it is kept. 0 when it is of no use. */
export const savedPerByte = ({ seconds, bytes, isCurrent }: Valued): number =>
  isQuicklyBuilt({ seconds, bytes })
    ? 0
    : (Math.max(seconds, LEAST_SECONDS) * (isCurrent ? 1 : CHANCE_OF_OLD)) / Math.max(bytes, 1);

/** Whether fetching a path takes longer than building it. */
export const isQuicklyBuilt = ({ seconds, bytes }: Pick<Valued, 'seconds' | 'bytes'>): boolean =>
  bytes > ALWAYS_FETCHED && seconds * RESTORE_RATE < bytes;
