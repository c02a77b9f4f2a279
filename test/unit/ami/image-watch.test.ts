import { expect, test } from 'vitest';
import { ImageWatch } from '../../../src/ami/image-watch.ts';
import type { AmiQuery, AmiRecord } from '../../../src/aws/ec2-api.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { refusal } from './model.ts';

const MINUTE = 60_000;

/** A region whose AMIs become available at times. */
function region(readyAt: Readonly<Record<string, number>>) {
  const clock = new IdleClock(() => 0.5);
  const asked: string[][] = [];
  const images = async (query: AmiQuery): Promise<AmiRecord[]> => {
    const ids = 'ids' in query ? [...query.ids] : [];
    asked.push(ids);
    await clock.sleep(100);
    return ids.map((id) => ({
      ...{ id, name: id, reason: undefined, isPublic: false, created: 0, deprecated: undefined, isProtected: false },
      ...{ snapshots: ['snap-1'], tags: new Map() },
      state: clock.now() >= (readyAt[id] ?? 0) ? 'available' : 'pending',
    }));
  };
  const stop = new AbortController();
  const watch = new ImageWatch({ images });
  const until = (id: string, limit = 60 * MINUTE) =>
    watch.until(id, (image) => (image?.state === 'available' ? id : undefined), limit, { clock, signal: stop.signal });
  return { clock, asked, stop, watch, until };
}

test('AMIs that are waited for together are asked for together, until each is there', async () => {
  const ready = { one: 10 * MINUTE, two: 20 * MINUTE, three: 20 * MINUTE };
  const single = region(ready);
  await single.until('two');
  const { asked, until } = region(ready);
  expect(await Promise.all([until('one'), until('two'), until('three')])).toEqual(['one', 'two', 'three']);
  expect(asked.length).toBe(single.asked.length);
  expect(asked[0]).toEqual(['one', 'two', 'three']);
  expect(asked.at(-1)).toEqual(['two', 'three']);
});

test('who comes while the others sleep is not kept waiting, and gets an answer to a request of after', async () => {
  const { clock, asked, until } = region({ late: 30 * MINUTE });
  const late = until('late');
  await clock.sleep(10 * MINUTE);
  const [before, count] = [clock.now(), asked.length];
  await until('there');
  expect(clock.now() - before).toBeLessThan(1000);
  expect(asked.slice(count)).toEqual([['late', 'there']]);
  expect(await late).toBe('late');
});

test('each has its own time and its own failure; a request that is refused is that of all', async () => {
  const { clock, watch, until, stop } = region({ never: Number.POSITIVE_INFINITY });
  const broken = watch.until(
    'broken',
    () => {
      throw new Error('failed');
    },
    MINUTE,
    { clock, signal: undefined },
  );
  const short = until('never', MINUTE);
  const long = until('never');
  await expect(broken).rejects.toThrow('failed');
  expect(await short).toBeUndefined();
  expect(clock.now()).toBeLessThan(2 * MINUTE);
  stop.abort();
  await expect(long).rejects.toMatchObject({ code: 'cancelled' });
  const refused = new ImageWatch({
    images: async () => {
      throw refusal('UnauthorizedOperation');
    },
  });
  const both = ['a', 'b'].map((id) => refused.until(id, () => id, MINUTE, { clock, signal: undefined }));
  for (const { status } of await Promise.allSettled(both)) expect(status).toBe('rejected');
});
