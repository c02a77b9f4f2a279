import { expect, it } from 'vitest';
import { DEFAULT_RETRY } from '../../../../../src/core/retry.ts';
import { RequestBudget } from '../../../../../src/storage/registry/fetch/request-budget.ts';
import { memoryLog } from '../../../../support/memory-log.ts';

/** A clock whose sleepers wake in the order of their times, when time is let go on. */
const manualClock = () => {
  let now = 1_000_000;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  return {
    now: () => now,
    random: () => 1,
    sleep: (ms: number) => new Promise<void>((wake) => void sleepers.push({ at: now + ms, wake })),
    goOn: async (ms: number): Promise<void> => {
      const end = now + ms;
      for (;;) {
        await new Promise(setImmediate);
        const next = sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        sleepers.splice(sleepers.indexOf(next), 1);
        now = Math.max(now, next.at);
        next.wake();
      }
      now = end;
    },
  };
};

const world = (host = 'registry.test') => {
  const clock = manualClock();
  const log = memoryLog();
  const budget = new RequestBudget(host, clock);
  const started: number[] = [];
  const begin = clock.now();
  return {
    clock,
    log,
    budget,
    started,
    /** Lets so many requests begin, and notes when each did. */
    send: (count: number) =>
      Array.from({ length: count }, () => budget.turn().then(() => void started.push(clock.now() - begin))),
    answer: (status: number, retryAfter?: string, sentAt = clock.now()) =>
      budget.heed(
        { status, headers: new Headers(retryAfter === undefined ? {} : { 'retry-after': retryAfter }) },
        { sentAt, policy: DEFAULT_RETRY, log },
      ),
  };
};

it('nothing waits while nobody complains', async () => {
  const { send, started, clock } = world();
  send(500);
  await clock.goOn(0);
  expect(started).toEqual(Array(500).fill(0));
});

it.each([
  [429, '7'],
  [403, '7'],
  [503, '7'],
])('%i with Retry-After pauses all requests, which go slowly afterwards', async (status, retryAfter) => {
  const { send, answer, started, clock, log } = world();
  answer(status, retryAfter);
  send(4);
  await clock.goOn(60_000);
  expect(started).toEqual([7000, 7100, 7200, 7300]);
  expect(log.lines).toEqual(['registry.test limits requests: waiting 7 s, then at most 10 a second']);
});

it.each([
  [403, undefined],
  [503, undefined],
  [200, '7'],
])('%i with Retry-After %s pauses nothing', async (status, retryAfter) => {
  const { send, answer, started, clock } = world();
  answer(status, retryAfter);
  send(1);
  await clock.goOn(0);
  expect(started).toEqual([0]);
});

it('a pause holds for those that wait already, and one wave of refusals slows down once', async () => {
  const { send, answer, started, clock, log } = world();
  answer(429, '1');
  send(3);
  await clock.goOn(500);
  answer(429, '5', clock.now() - 500);
  await clock.goOn(60_000);
  expect(started).toEqual([5500, 5600, 5700]);
  expect(log.lines).toHaveLength(1);
});

it('waits grow where the host asks for milliseconds only', async () => {
  const { send, answer, started, clock } = world();
  for (let round = 0; round < 4; round += 1) {
    answer(429, '10.305464ms');
    send(1);
    await clock.goOn(10_000);
  }
  expect(started.map((at, round) => at - round * 10_000)).toEqual([500, 1000, 2000, 4000]);
});

it('each minute without a refusal doubles the pace, up to the full one', async () => {
  const { send, answer, started, clock } = world();
  answer(429, '1');
  await clock.goOn(2000);
  answer(429, '1');
  await clock.goOn(62_000);
  const spacing = async (): Promise<number | undefined> => {
    started.length = 0;
    send(2);
    await clock.goOn(60_000);
    return (started[1] ?? 0) - (started[0] ?? 0);
  };
  expect([await spacing(), await spacing(), await spacing()]).toEqual([100, 0, 0]);
});

it('a wait that nobody waits is an error for all', async () => {
  const { answer, budget } = world();
  answer(429, '3600');
  await expect(budget.turn()).rejects.toMatchObject({
    code: 'registry',
    message: 'registry.test limits requests and asks us to wait 3600 s',
    hint: expect.stringContaining('log in'),
  });
});

it('GHCR never sees more than its 2,000 a minute', async () => {
  const { send, started, clock } = world('ghcr.io');
  send(5000);
  await clock.goOn(600_000);
  expect(started).toHaveLength(5000);
  const most = Math.max(
    ...started.map((at, index) => started.findLastIndex((other) => other < at + 60_000) - index + 1),
  );
  expect(most).toBeLessThanOrEqual(2000);
  expect(started.filter((at) => at === 0).length).toBeGreaterThanOrEqual(1000);
});

it('no second sees more requests of a kind than its limit, and others wait for none of them', async () => {
  const { budget, clock } = world();
  const begin = clock.now();
  const sent: { readonly kind: string; readonly at: number }[] = [];
  const limits = [{ kind: 'manifests', perSecond: 10 }, { kind: 'uploads', perSecond: 100 }, undefined];
  for (const limit of limits) {
    for (let count = 0; count < 35; count += 1)
      void budget
        .turn(undefined, limit)
        .then(() => sent.push({ kind: limit?.kind ?? 'others', at: clock.now() - begin }));
  }
  await clock.goOn(10_000);
  const timesOf = (kind: string): number[] => sent.filter((one) => one.kind === kind).map(({ at }) => at);
  expect(timesOf('others')).toEqual(Array(35).fill(0));
  expect(timesOf('uploads')).toEqual(Array(35).fill(0));
  const manifests = timesOf('manifests');
  expect(manifests).toHaveLength(35);
  for (const at of manifests)
    expect(manifests.filter((other) => other >= at && other < at + 1000).length).toBeLessThanOrEqual(10);
  expect(manifests.at(-1)).toBeLessThan(4000);
});

it('a pause does not let the requests of a limited kind through at once when it ends', async () => {
  const { budget, clock, answer } = world();
  const begin = clock.now();
  const sent: number[] = [];
  const limit = { kind: 'manifests', perSecond: 10 };
  answer(429, '5');
  for (let count = 0; count < 30; count += 1)
    void budget.turn(undefined, limit).then(() => sent.push(clock.now() - begin));
  await clock.goOn(60_000);
  expect(sent).toHaveLength(30);
  expect(sent[0]).toBeGreaterThanOrEqual(5000);
  for (const at of sent)
    expect(sent.filter((other) => other >= at && other < at + 1000).length).toBeLessThanOrEqual(10);
});
