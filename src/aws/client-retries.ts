import { isLastingNetworkError } from '../core/network-error.ts';
import { backoff, type Clock, type RetryPolicy, sleep } from '../core/retry.ts';

/** One of a request's tries, as AWS's clients speak of it (`@smithy/types`, RetryStrategyV2). */
interface Try {
  getRetryCount(): number;
  getRetryDelay(): number;
}

const tryOf = (count: number): Try => ({
  getRetryCount: () => count,
  // The wait is over by then.
  getRetryDelay: () => 0,
});

interface Failure {
  readonly error?: unknown;
  readonly errorType: string;
}

/**
 * When AWS's clients repeat a request: what they take for throttling, a break or an error of the service's own, with the waits of `policy` by the clock of
 * the run. Theirs give up sooner, and a deployment asks hundreds of times: one request that fails for good takes all of it back.
 */
export const clientRetries = (
  clock: Clock,
  { policy, signal }: { readonly policy: RetryPolicy; readonly signal: AbortSignal },
) => ({
  acquireInitialRetryToken: async () => tryOf(0),
  refreshRetryTokenForRetry: async (last: Try, { error, errorType }: Failure) => {
    const count = last.getRetryCount() + 1;
    // What is thrown here only ends it: the client throws the failure.
    if (count >= policy.attempts || errorType === 'CLIENT_ERROR') throw error;
    // A region that is misspelt has no host, and will not have one.
    if (isLastingNetworkError(error)) throw error;
    await sleep(clock, backoff(policy, count, clock.random()), signal);
    return tryOf(count);
  },
  recordSuccess: (): void => undefined,
});
