import { expect, test } from 'vitest';
import { ThreadPool } from '../../../src/core/thread-pool.ts';

/** A pool whose threads are told apart by their number, and may die at any time. */
function numbered(width: number) {
  const started: { hasEnded: boolean; readonly number: number; end(): Promise<void> }[] = [];
  const pool = new ThreadPool(() => {
    const thread = {
      hasEnded: false,
      number: started.length + 1,
      end: async () => {
        thread.hasEnded = true;
      },
    };
    started.push(thread);
    return thread;
  }, width);
  const numberOf = (): Promise<number> => pool.run(async ({ number }) => number);
  return { pool, started, numberOf };
}

test('a thread is used again, until its work fails', async () => {
  const { pool, started, numberOf } = numbered(1);
  expect([await numberOf(), await numberOf()]).toEqual([1, 1]);
  await expect(pool.run(() => Promise.reject(new Error('in the middle of it')))).rejects.toThrow('in the middle');
  expect(started.map(({ hasEnded }) => hasEnded)).toEqual([true]);
  expect(await numberOf()).toBe(2);
});

test('a thread that has died while it waited is given to nobody', async () => {
  const { pool, started, numberOf } = numbered(2);
  const both = Promise.withResolvers<void>();
  await Promise.all([pool.run(() => both.promise), pool.run(async () => both.resolve())]);
  for (const thread of started) thread.hasEnded = true;
  expect([await numberOf(), await numberOf()]).toEqual([3, 3]);
  const ended: number[] = [];
  for (const thread of started) thread.end = async () => void ended.push(thread.number);
  await pool.close();
  expect(ended).toEqual([3]);
});
