import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { sleep } from '../core/retry.ts';

/** What EC2 says of a snapshot; undefined where it does not know it. */
export type SnapshotState = 'pending' | 'completed' | 'error' | undefined;

/** Milliseconds that AWS may take to complete a snapshot: minutes are usual. */
const COMPLETION_TIME = 3_600_000;

interface Waiting extends Pick<Effects, 'clock' | 'signal'> {
  readonly region: string;
  snapshotState(snapshotId: string): Promise<SnapshotState>;
  readonly completionTime?: number | undefined;
}

/** Milliseconds between looks; EC2 limits them by the account. */
const LEAST_WAIT = 2_000;
const MOST_WAIT = 15_000;

/**
 * Waits until a snapshot is completed or has failed, `completionTime` milliseconds at most. Throws UserError `registry` where the time is over; one that
 * is not known is waited for, since answers may be old.
 */
export async function awaitCompleted(
  snapshotId: string,
  { snapshotState, clock, signal, region, completionTime: total = COMPLETION_TIME }: Waiting,
): Promise<'completed' | 'error'> {
  const start = clock.now();
  for (let wait = LEAST_WAIT; ; wait = Math.min(MOST_WAIT, wait * 1.5)) {
    const state = await snapshotState(snapshotId);
    if (state === 'completed' || state === 'error') return state;
    if (clock.now() - start > total) {
      const minutes = Math.round(total / 60_000);
      const last = state === undefined ? 'not known to EC2' : `still ${state}`;
      throw new UserError('registry', `${snapshotId} in ${region} is ${last} after ${minutes} minutes`, {
        hint: 'Run again: the snapshot is found and not sent again.',
      });
    }
    await sleep(clock, wait / 2 + (wait / 2) * clock.random(), signal);
  }
}
