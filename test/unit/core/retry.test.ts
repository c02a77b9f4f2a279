import { describe, expect, it } from 'vitest';
import { backoff, DEFAULT_RETRY, isRetriableStatus, parseRetryAfter, repeat } from '../../../src/core/retry.ts';
import { memoryLog } from '../../support/memory-log.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

it.each([
  [null, undefined],
  ['7', 7000],
  [' 0 ', 0],
  ['10.305464ms', 11],
  ['880.092µs', 1],
  ['1m30s', 90_000],
  ['1m30', undefined],
  ['1.5', undefined],
  ['-1', undefined],
  ['soon', undefined],
  ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
  ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
])('parseRetryAfter(%j)', (header, expected) => {
  expect(parseRetryAfter(header, NOW)).toBe(expected);
});

it.each([
  [1, 0, undefined, 250],
  [1, 1, undefined, 500],
  [2, 1, undefined, 1000],
  [20, 1, undefined, 30_000],
  [1, 0, 7000, 7000],
  [1, 0, 9_999_999, 300_000],
])('backoff after try %i with random %d and Retry-After %s', (attempt, random, retryAfter, expected) => {
  expect(backoff(DEFAULT_RETRY, attempt, random, retryAfter)).toBe(expected);
});

it.each([
  [408, true],
  [429, true],
  [500, true],
  [502, true],
  [503, true],
  [504, true],
  [200, false],
  [400, false],
  [401, false],
  [404, false],
  [501, false],
])('isRetriableStatus(%i)', (status, expected) => {
  expect(isRetriableStatus(status)).toBe(expected);
});

describe('repeat', () => {
  const world = (policy = DEFAULT_RETRY) => {
    const waits: number[] = [];
    let now = 0;
    const clock = {
      now: () => now,
      sleep: async (ms: number) => {
        waits.push(ms);
        now += ms;
      },
      random: () => 1,
    };
    return { waits, options: { clock, log: memoryLog(), policy } };
  };
  const again = { retry: 'it failed', error: () => new Error('last') };

  it('ends with the first value', async () => {
    const { waits, options } = world();
    const result = await repeat(async (number) => (number < 3 ? again : { done: number }), options);
    expect([result, waits]).toEqual([3, [500, 1000]]);
  });

  it('throws the last error when the tries are used up', async () => {
    const { waits, options } = world({ ...DEFAULT_RETRY, attempts: 3 });
    await expect(repeat(async () => again, options)).rejects.toThrow('last');
    expect(waits).toHaveLength(2);
    expect(options.log.lines.at(-1)).toBe('it failed; trying again in 1.0 s (3 of 3)');
  });

  it('starts no try after the total time', async () => {
    const { waits, options } = world({ ...DEFAULT_RETRY, totalTime: 150_000 });
    await expect(repeat(async () => ({ ...again, retryAfter: 100_000 }), options)).rejects.toThrow('last');
    expect(waits).toEqual([100_000]);
  });
});
