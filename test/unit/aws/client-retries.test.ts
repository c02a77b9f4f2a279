import { expect, test } from 'vitest';
import { clientRetries } from '../../../src/aws/client-retries.ts';

const policy = { attempts: 4, baseDelay: 100, maxDelay: 1000, maxRetryAfter: 0, totalTime: 60_000 };

function start() {
  const slept: number[] = [];
  const clock = {
    now: () => 0,
    random: () => 1,
    sleep: async (milliseconds: number) => {
      slept.push(milliseconds);
    },
  };
  const { signal } = new AbortController();
  return { slept, retries: clientRetries(clock, { policy, signal }) };
}

const unreached = (code: string): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });

test('what does not answer is asked again after a wait, as often as the policy says', async () => {
  const { retries, slept } = start();
  const error = unreached('ECONNRESET');
  let last = await retries.acquireInitialRetryToken();
  for (let count = 1; count < policy.attempts; count += 1)
    last = await retries.refreshRetryTokenForRetry(last, { error, errorType: 'TRANSIENT' });
  await expect(retries.refreshRetryTokenForRetry(last, { error, errorType: 'TRANSIENT' })).rejects.toBe(error);
  expect(slept).toHaveLength(policy.attempts - 1);
});

test('a host that does not exist, as of a region that is misspelt, is asked once', async () => {
  const { retries, slept } = start();
  const error = unreached('ENOTFOUND');
  const first = await retries.acquireInitialRetryToken();
  await expect(retries.refreshRetryTokenForRetry(first, { error, errorType: 'TRANSIENT' })).rejects.toBe(error);
  expect(slept).toEqual([]);
});
