import { expect, test, vi } from 'vitest';
import { SpareTransfer } from '../../../../src/github/cache/spare-transfer.ts';
import type { EntryOrder } from '../../../../src/github/cache/talk.ts';
import type { Said } from '../../../../src/github/cache/verdict.ts';

const ORDER: EntryOrder = {
  moved: { verb: 'restore', key: 'k', file: '/f' },
  turn: { comes: Promise.resolve(), isOver: () => {} },
};

const saidOf = (key: string): Said => ({ report: { found: key }, log: { lines: [], secrets: [] }, stderr: '' });

test('one that is given an entry moves it, and nothing more', async () => {
  const spare = new SpareTransfer(async (ordered) => saidOf((await ordered)?.moved.key ?? 'none'));
  expect(spare.isWaiting).toBe(true);
  const moved = spare.give(ORDER);
  expect(spare.isWaiting).toBe(false);
  expect(await moved).toEqual(saidOf('k'));
});

test.each([
  ['an end', async () => undefined],
  ['a fault', () => Promise.reject(new Error('no such program'))],
])('one that comes to %s before it is given anything can be given nothing', async (_, move) => {
  const spare = new SpareTransfer(move);
  await vi.waitFor(() => expect(spare.isWaiting).toBe(false));
});

test('one that is given nothing for a minute is told so', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const told: unknown[] = [];
    const spare = new SpareTransfer(async (ordered) => void told.push(await ordered));
    vi.advanceTimersByTime(59_999);
    expect(spare.isWaiting).toBe(true);
    vi.advanceTimersByTime(1);
    expect(spare.isWaiting).toBe(false);
    await Promise.resolve();
    await Promise.resolve();
    expect(told).toEqual([undefined]);
  } finally {
    vi.useRealTimers();
  }
});
