import { expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { UserError } from '../../../src/core/error.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { OptionalTargets } from '../../../src/publish/optional-targets.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { memoryLog } from '../../support/memory-log.ts';

const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}');
const index = { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };

/** A target in which the index is live already. */
const targetAt = (name: string, settle: () => Promise<void>) => {
  const live = { getManifest: async () => index, commit: async () => {}, abandon: async () => {} };
  const repository = { name, bytesSent: 0, ...live } as unknown as Repository;
  return { target: { repository, kind: 'registry' as const, tags: ['v1'] }, settle, show: async () => {} };
};

const publishAll = async (given: readonly ReturnType<typeof targetAt>[], signal = new AbortController().signal) => {
  const optional = new OptionalTargets();
  const log = memoryLog();
  const options = { verify: false, run: undefined, log, clock: systemClock, signal };
  const ends = [];
  for (const one of given) ends.push(await optional.publish(one, index, one.target.repository, options));
  return { ends, isSilent: given.map(({ target }) => optional.isSilent(target)), lines: log.lines };
};

const fails = (error: Error) => (): Promise<void> => Promise.reject(error);

test('a registry that does not answer is asked for one image, and another registry for all', async () => {
  let asked = 0;
  const silent = new UserError('registry', 'a.example does not answer');
  const { ends, isSilent, lines } = await publishAll([
    targetAt('docker://a.example/one', fails(silent)),
    targetAt('docker://a.example/two', async () => {
      asked += 1;
    }),
    targetAt('docker://b.example/one', async () => {}),
  ]);
  expect(ends.map(({ tags, failure }) => failure ?? tags)).toEqual([silent.message, silent.message, ['v1']]);
  expect([asked, isSilent]).toEqual([0, [true, true, false]]);
  expect(lines.filter((line) => line.includes('is not published, which is allowed: a.example'))).toHaveLength(2);
});

test('an answer that refuses one image says nothing of the next', async () => {
  const refused = new UserError('credentials', 'a.example: 403');
  const { ends, isSilent } = await publishAll([
    targetAt('docker://a.example/one', fails(refused)),
    targetAt('docker://a.example/two', async () => {}),
  ]);
  expect(ends.map(({ tags, failure }) => failure ?? tags)).toEqual([refused.message, ['v1']]);
  expect(isSilent).toEqual([false, false]);
});

test.each([
  new UserError('cancelled', 'interrupted'),
  new TypeError('a bug'),
])('%s is no failure of a place', async (error) => {
  await expect(publishAll([targetAt('docker://a.example/one', fails(error))])).rejects.toBe(error);
});
