import { expect, test } from 'vitest';
import { mapParallel } from '../../../src/core/parallel.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('never runs more than the limit at once, and keeps the order', async () => {
  let running = 0;
  let most = 0;
  const results = await mapParallel([5, 1, 4, 2, 3], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn += 1) await tick();
    running -= 1;
    return item * 10;
  });
  expect(results).toEqual([50, 10, 40, 20, 30]);
  expect(most).toBe(2);
});

test('after a failure starts nothing more, and rejects when what runs has ended', async () => {
  const started: number[] = [];
  const ended: number[] = [];
  const run = mapParallel([1, 2, 3, 4], 2, async (item) => {
    started.push(item);
    if (item === 1) throw new Error('one');
    await tick();
    ended.push(item);
  });
  await expect(run).rejects.toThrow('one');
  expect(started).toEqual([1, 2]);
  expect(ended).toEqual([2]);
});

test('of nothing is nothing', async () => {
  expect(await mapParallel([], 3, async () => 1)).toEqual([]);
});
