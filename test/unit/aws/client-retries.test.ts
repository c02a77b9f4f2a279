import { expect, test } from 'vitest';
import { clientRetries } from '../../../src/aws/client-retries.ts';
import { clientSettings } from '../../../src/aws/client-settings.ts';
import { memoryLog } from '../../support/memory-log.ts';

const policy = { attempts: 4, baseDelay: 100, maxDelay: 1000, maxRetryAfter: 0, totalTime: 60_000 };

function start(patient = policy) {
  const slept: number[] = [];
  const clock = {
    now: () => 0,
    random: () => 1,
    sleep: async (milliseconds: number) => {
      slept.push(milliseconds);
    },
  };
  const { signal } = new AbortController();
  const told: string[] = [];
  const tell = (text: string) => void told.push(text);
  return { slept, told, clock, signal, retries: clientRetries(clock, { policy: patient, signal, tell }) };
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

test('what is waited for is told after some seconds, but for throttling', async () => {
  const { retries, told, slept } = start({ ...policy, attempts: 9, maxDelay: 20_000 });
  const error = unreached('ECONNREFUSED');
  let last = await retries.acquireInitialRetryToken();
  for (let count = 1; count <= 6; count += 1)
    last = await retries.refreshRetryTokenForRetry(last, { error, errorType: 'TRANSIENT' });
  expect(slept.slice(0, -1).reduce((sum, one) => sum + one)).toBeLessThan(5_000);
  expect(told).toEqual(['ECONNREFUSED; trying again (7 of 9)']);
  await retries.refreshRetryTokenForRetry(last, { error, errorType: 'THROTTLING' });
  expect(told).toHaveLength(1);
});

test('it is told once for a service in a region, with where that is, however many clients wait', async () => {
  const { clock, signal } = start();
  const log = memoryLog();
  const env = (name: string) => (name === 'AWS_ENDPOINT_URL' ? 'http://127.0.0.1:9' : undefined);
  const world = { log, signal, clock, env, fetch: globalThis.fetch };
  for (const region of ['eu-central-1', 'eu-central-1', 'us-east-1']) {
    const { retryStrategy } = clientSettings({ ...world }, 'EC2', region);
    let last = await retryStrategy?.acquireInitialRetryToken();
    for (let count = 0; count < 8 && last; count += 1)
      last = await retryStrategy?.refreshRetryTokenForRetry(last, {
        error: unreached('ECONNREFUSED'),
        errorType: 'TRANSIENT',
      });
  }
  expect(log.lines.map((line) => line.replace(/;.*/, ''))).toEqual([
    expect.stringContaining('EC2 in eu-central-1 at 127.0.0.1:9: ECONNREFUSED'),
    expect.stringContaining('EC2 in us-east-1 at 127.0.0.1:9: ECONNREFUSED'),
  ]);
});

test('a host that does not exist, as of a region that is misspelt, is asked once', async () => {
  const { retries, slept } = start();
  const error = unreached('ENOTFOUND');
  const first = await retries.acquireInitialRetryToken();
  await expect(retries.refreshRetryTokenForRetry(first, { error, errorType: 'TRANSIENT' })).rejects.toBe(error);
  expect(slept).toEqual([]);
});
