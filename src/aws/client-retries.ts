import { describeNetworkError, isLastingNetworkError } from '../core/network-error.ts';
import { backoff, type Clock, type RetryPolicy, sleep } from '../core/retry.ts';

/** One of a request's tries, as AWS's clients speak of it (`@smithy/types`, RetryStrategyV2). */
interface Try {
  getRetryCount(): number;
  getRetryDelay(): number;
}

/** Milliseconds of waiting after which a person wonders what is going on. */
const QUIET = 5_000;

const tryOf = (count: number): Try => ({
  getRetryCount: () => count,
  // The wait is over by then.
  getRetryDelay: () => 0,
});

interface Failure {
  readonly error?: unknown;
  readonly errorType: string;
}

interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Told of each wait of a request that has waited for some seconds, but for throttling, which a deployment meets every day. */
  readonly tell: (text: string) => void;
}

/**
 * When AWS's clients repeat a request: what they take for throttling, a break or an error of the service's own, with the waits of `policy` by the clock of
 * the run. Theirs give up sooner, and a deployment asks hundreds of times: one request that fails for good takes all of it back.
 */
export function clientRetries(clock: Clock, { policy, signal, tell }: RetryOptions) {
  /** Waits of requests, by their last try. */
  const waited = new WeakMap<Try, number>();
  return {
    acquireInitialRetryToken: async () => tryOf(0),
    refreshRetryTokenForRetry: async (last: Try, { error, errorType }: Failure) => {
      const count = last.getRetryCount() + 1;
      // What is thrown here only ends it: the client throws the failure.
      if (count >= policy.attempts || errorType === 'CLIENT_ERROR') throw error;
      // A region that is misspelt has no host, and will not have one.
      if (isLastingNetworkError(error)) throw error;
      const wait = backoff(policy, count, clock.random());
      const all = (waited.get(last) ?? 0) + wait;
      if (all >= QUIET && errorType !== 'THROTTLING')
        tell(`${describeNetworkError(error)}; trying again (${count + 1} of ${policy.attempts})`);
      await sleep(clock, wait, signal);
      const next = tryOf(count);
      waited.set(next, all);
      return next;
    },
    recordSuccess: (): void => undefined,
  };
}
