import { expect, test } from 'vitest';
import { type AskKeys, AwsSession } from '../../../src/ebs/aws-session.ts';

const MINUTE = 60_000;

/** Keys by number, each good for some minutes from when they were asked for. */
function source(clock: { time: number }, minutes = 60) {
  const asked: boolean[] = [];
  const ask: AskKeys = async ({ forceRefresh = false } = {}) => {
    asked.push(forceRefresh);
    return {
      accessKeyId: `key-${asked.length}`,
      secretAccessKey: 'secret',
      expiration: new Date(clock.time + minutes * MINUTE),
    };
  };
  return { asked, session: new AwsSession(ask, { now: () => clock.time }) };
}

test('keys are asked for once, and again some minutes before they end', async () => {
  const clock = { time: 0 };
  const { asked, session } = source(clock);
  expect((await Promise.all([session.keys(), session.keys()])).map(({ accessKeyId }) => accessKeyId)).toEqual([
    'key-1',
    'key-1',
  ]);
  clock.time = 54 * MINUTE;
  expect((await session.keys()).accessKeyId).toBe('key-1');
  clock.time = 56 * MINUTE;
  expect((await session.keys()).accessKeyId).toBe('key-2');
  expect((await session.keys()).accessKeyId).toBe('key-2');
  expect(asked).toEqual([false, true]);
});

test('a source that has only keys that end soon is not asked for each request', async () => {
  const clock = { time: 0 };
  const { asked, session } = source(clock, 3);
  for (let number = 0; number < 100; number += 1) await session.keys();
  expect(asked.length).toBe(2);
  clock.time = 2 * MINUTE;
  await session.keys();
  expect(asked.length).toBe(3);
});

test('keys that are not taken any more are renewed once for all who used them', async () => {
  const { asked, session } = source({ time: 0 });
  const used = await session.keys();
  const renewed = await Promise.all([session.renew(used), session.renew(used), session.renew(used)]);
  expect(renewed.map(({ accessKeyId }) => accessKeyId)).toEqual(['key-2', 'key-2', 'key-2']);
  expect((await session.renew(used)).accessKeyId).toBe('key-2');
  expect(asked).toEqual([false, true]);
});

test('a source that fails is asked again by the next request', async () => {
  let times = 0;
  const session = new AwsSession(
    async () => {
      times += 1;
      if (times === 1) throw new Error('no answer');
      return { accessKeyId: 'key', secretAccessKey: 'secret' };
    },
    { now: () => 0 },
  );
  await expect(session.keys()).rejects.toThrow('no answer');
  expect((await session.keys()).accessKeyId).toBe('key');
});

test("the service's time is learnt from what it says", async () => {
  const clock = { time: 1_000_000 };
  const { session } = source(clock);
  session.learnTime(4_600_000);
  clock.time += 500;
  expect(session.now().getTime()).toBe(4_600_500);
});
