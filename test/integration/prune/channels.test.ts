import { expect, test } from 'vitest';
import { readChannel } from '../../../src/channel/channel.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { promoteImage } from '../../../src/promote/promote-image.ts';
import { rollbackTarget } from '../../../src/promote/rollback.ts';
import { wholeImage } from '../../../src/promote/whole-image.ts';
import { openForRemoval } from '../../../src/storage/open.ts';
import { testDeps } from '../storage/kit.ts';
import { putIndex, REPOSITORY, run, scene } from './kit.ts';

const signal = new AbortController().signal;

test.each([
  ['with the referrers API', { referrersPerPage: 9 }],
  ['without it', {}],
])('what a rollback leads to is kept whole, at a registry %s; records of what goes go', async (_, options) => {
  const { registry, to, deps, place, has } = await scene(options);
  const other = testDeps();
  const { repository } = openForRemoval(parseReference(`${registry.host}/${REPOSITORY}`), other);
  const images = [];
  for (const [at, name] of ['oldest', 'older', 'newest'].entries()) {
    const { index } = await putIndex(to, name, { age: 30 - at });
    await to.tag(`sha-000000${at}`, index);
    images.push(index);
    await promoteImage(index, [{ kind: 'registry', repository, tags: ['stable'] }], {
      ...{ order: 'forward', kind: 'promote', isRecorded: true, mayCreate: true, from: 'edge' },
      ...{ run: undefined, by: undefined, log: other.log, clock: other.clock, signal },
    });
  }
  const [oldest, older, newest] = images;
  if (!oldest || !older || !newest) throw new TypeError('three were put');
  const channel = { source: to, tag: 'stable' };
  const record = (await readChannel(channel, deps.log))?.head?.previous?.record;
  const pruned = await run(place, deps, { keepLast: '1 of sha-*' });
  expect(pruned.error).toBeUndefined();
  expect([oldest, older, newest].map(has)).toEqual([false, true, true]);
  // The index, its images, and the record of its promotion.
  expect(pruned.outcomes.filter(({ kind }) => kind === 'removed').length).toBeGreaterThanOrEqual(4);
  const live = await readChannel(channel, deps.log);
  if (!live) throw new TypeError('the channel is there');
  const target = await rollbackTarget(channel, live, undefined);
  expect(target).toMatchObject({ digest: older.digest, isKnown: true });
  expect(live.head?.previous?.record).toBe(record);
  await wholeImage(to, older);
  expect((await run(place, deps, { keepLast: '1 of sha-*' })).outcomes).toEqual([]);
});
