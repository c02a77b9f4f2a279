import { backoff, type Clock, type RetryPolicy, sleep } from '../core/retry.ts';
import { EbsError, type EbsFailure } from './ebs-failure.ts';
import type { EbsAnswer, EbsRequest, EbsSender } from './ebs-request.ts';
import { type EbsVerdict, verdictOf } from './verdict.ts';

/** How long requests are tried. All in milliseconds. */
export interface EbsLimits {
  /** The first try of a request; each that gets no answer in time doubles it, up to eight times this. */
  readonly attempt: number;
  /** No new try begins later than this after the first. */
  readonly total: number;
  /** Before the second try; doubled each time, up to `mostDelay`. */
  readonly delay: number;
  readonly mostDelay: number;
  /** A snapshot that was just started may be unknown for so long. */
  readonly unknown: number;
}

/**
 * An answer to 512 KiB takes a second or less; the slowest uplinks that were reported took half a minute (nanovms/ops 1268). Requests that
 * are never answered were, too (awslabs/coldsnap 437). EBS's team asks to wait two minutes for a new snapshot (awslabs/coldsnap 56).
 */
export const EBS_LIMITS: EbsLimits = {
  attempt: 20_000,
  total: 600_000,
  delay: 200,
  mostDelay: 10_000,
  unknown: 120_000,
};

/** Tries of what neither throttling nor a young snapshot explains. */
const ATTEMPTS = 8;

/** Times that keys are renewed, the clock is set or bytes are compared for one request: more of it would not help. */
const REPAIRS = 2;

/** The wait between looks at a snapshot that is not known yet grows to a few seconds only. */
const MOST_UNKNOWN_DELAY = 5_000;

export interface PersistOptions {
  readonly clock: Clock;
  readonly limits: EbsLimits;
  readonly signal?: AbortSignal | undefined;
  /** How long a snapshot may be unknown, from now on; 0 where it is not ours. Default: 0. */
  readonly unknown?: number | undefined;
  /** Hears of each try. */
  readonly onAttempt?: (() => void) | undefined;
  /** Hears of each failure before the wait. */
  readonly onFailure?: ((failure: EbsFailure, verdict: EbsVerdict) => Promise<void> | void) | undefined;
}

/**
 * The one place where requests are tried again. Throws EbsError of the last try where another cannot help, or the time is over;
 * what `onFailure` throws; and UserError `cancelled`.
 */
export async function persist(
  sender: EbsSender,
  request: EbsRequest,
  { clock, limits, signal, unknown = 0, onAttempt, onFailure }: PersistOptions,
): Promise<EbsAnswer> {
  const start = clock.now();
  const policy: RetryPolicy = {
    attempts: ATTEMPTS,
    baseDelay: limits.delay,
    maxDelay: limits.mostDelay,
    maxRetryAfter: 0,
    totalTime: limits.total,
  };
  let timeouts = 0;
  let repairs = 0;
  let others = 0;
  for (let number = 1; ; number += 1) {
    onAttempt?.();
    try {
      return await sender.send(request, limits.attempt * 2 ** Math.min(timeouts, 3));
    } catch (error) {
      if (!(error instanceof EbsError)) throw error;
      const { failure } = error;
      const verdict = verdictOf(failure);
      await onFailure?.(failure, verdict);
      if (failure.code === 'TimedOut') timeouts += 1;
      const isRepair = verdict === 'keys' || verdict === 'clock' || verdict === 'compare';
      if (isRepair) repairs += 1;
      if (verdict === 'again') others += 1;
      const most = verdict === 'later' ? Math.min(MOST_UNKNOWN_DELAY, limits.mostDelay) : limits.mostDelay;
      const delay = isRepair ? 0 : Math.min(most, backoff(policy, number, clock.random()));
      const total = verdict === 'later' ? unknown : limits.total;
      const isOver = clock.now() - start + delay > total || repairs > REPAIRS || others >= ATTEMPTS;
      if (verdict === 'stop' || isOver) throw error;
      if (verdict === 'keys') await sender.renewKeys();
      if (verdict === 'clock' && failure.serverTime !== undefined) sender.session.learnTime(failure.serverTime);
      if (delay > 0) await sleep(clock, delay, signal);
    }
  }
}
