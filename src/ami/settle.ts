import type { Clock } from '../core/retry.ts';
import { sleep } from '../core/retry.ts';

/** What waiting needs. */
export interface Waiting {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/**
 * Milliseconds in which reads of EC2 and Systems Manager may be older than the last write: AWS's own advice is to look for up to 2.5 minutes
 * (hashicorp/packer 3377).
 */
export const SETTLING = 150_000;

const FIRST = 1_000;
const LONGEST = 15_000;

/** Of what takes minutes or hours: EC2 limits how often it is asked. */
const LONGEST_SLOW = 30_000;

/** Milliseconds until the next look, so that many who wait do not look at the same moment. */
export const pauseOf = (number: number, random: number, limit: number): number =>
  Math.round(Math.min(FIRST * 2 ** number, limit > SETTLING ? LONGEST_SLOW : LONGEST) * (0.75 + random / 2));

/**
 * Looks again and again until `look` gives something. Undefined when that took longer than `limit` milliseconds. What `look` throws ends
 * it; a signal that fires ends it with UserError `cancelled`.
 */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  limit: number,
  { clock, signal }: Waiting,
): Promise<T | undefined> {
  const end = clock.now() + limit;
  for (let number = 0; ; number += 1) {
    const found = await look();
    if (found !== undefined) return found;
    const pause = pauseOf(number, clock.random(), limit);
    if (clock.now() + pause > end) return undefined;
    await sleep(clock, pause, signal);
  }
}

/** Repeats `work` while it fails for a reason that passes; after `limit` milliseconds it throws the last one. */
export async function whilePassing<T>(
  work: () => Promise<T>,
  passes: (error: unknown) => boolean,
  limit: number,
  waiting: Waiting,
): Promise<T> {
  let last: unknown;
  const result = await lookUntil<{ readonly value: T }>(
    async () => {
      try {
        return { value: await work() };
      } catch (error) {
        if (!passes(error)) throw error;
        last = error;
        return undefined;
      }
    },
    limit,
    waiting,
  );
  if (result) return result.value;
  throw last;
}
