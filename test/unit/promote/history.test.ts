import { expect, test } from 'vitest';
import { type Promotion, recordOf } from '../../../src/channel/record.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import { referrerOf } from '../../../src/oci/referrer.ts';
import { historyOf } from '../../../src/promote/history.ts';
import { historySummary, historyText } from '../../../src/promote/report.ts';
import type { ImageSource } from '../../../src/storage/source.ts';
import { memoryLog } from '../../support/memory-log.ts';

const NAME = 'docker://registry/app';

const image = (text: string): StoredManifest => {
  const annotations = { 'org.opencontainers.image.revision': text };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [], annotations }),
  );
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
};

/** A place that holds manifests and one tag. */
const placeOf = (stable: StoredManifest, manifests: readonly StoredManifest[]): ImageSource => {
  const place: Partial<ImageSource> = {
    name: NAME,
    getManifest: async (reference) =>
      reference === 'stable' ? stable : manifests.find(({ digest }) => digest === reference),
    getReferrers: async (subject) => ({
      isOwn: true,
      entries: manifests.filter((one) => referrerOf(one)?.subject === subject).map(descriptorOf),
    }),
  };
  return place as ImageSource;
};

const promoted = (subject: StoredManifest, more: Partial<Promotion>): StoredManifest =>
  recordOf(subject, {
    ...{ repository: NAME, channel: 'stable', kind: 'promote', number: 1, previous: undefined, below: undefined },
    ...{ from: 'registry/app:edge', time: '2026-01-31T12:00:00Z', run: undefined, by: undefined },
    ...more,
  });

const [a, b, c] = [image('a'.repeat(40)), image('b'.repeat(40)), image('c'.repeat(40))];
const ofA = promoted(a, {});
const ofB = promoted(b, { number: 2, previous: { digest: a.digest, record: ofA.digest } });
const ofC = promoted(c, { number: 3, previous: { digest: b.digest, record: ofB.digest } });
const again = promoted(b, { number: 4, kind: 'rollback', previous: { digest: c.digest, record: ofC.digest } });

const walk = async (stable: StoredManifest, manifests: readonly StoredManifest[], limit = 20) =>
  historyOf({ source: placeOf(stable, manifests), tag: 'stable' }, limit, memoryLog());

const letters = ({ entries }: Awaited<ReturnType<typeof walk>>) =>
  entries.map(({ commit, promotion }) => `${commit?.[0] ?? 'gone'}${promotion?.number ?? '-'}`).join(' ');

test('is walked from the newest record of what the channel means now', async () => {
  const all = [a, b, c, ofA, ofB, ofC, again];
  expect(letters(await walk(b, all))).toBe('b4 c3 b2 a1');
  expect(letters(await walk(c, all))).toBe('c3 b2 a1');
  const some = await walk(b, all, 2);
  expect([letters(some), some.hasMore]).toEqual(['b4 c3', true]);
});

test('ends at a record that is gone, shows an image that is gone, and begins without a record', async () => {
  expect(letters(await walk(c, [a, b, c, ofA, ofC]))).toBe('c3 b-');
  expect(letters(await walk(c, [a, c, ofA, ofB, ofC]))).toBe('c3 gone2 a1');
  expect(letters(await walk(c, [a, b, c]))).toBe('c-');
});

test('records of another channel, repository or image do not count', async () => {
  const others = [
    promoted(c, { channel: 'beta', number: 9 }),
    promoted(c, { repository: 'docker://mirror/app', number: 9 }),
  ];
  expect(letters(await walk(c, [a, b, c, ofA, ofB, ofC, ...others]))).toBe('c3 b2 a1');
  // It names another image than its record is of.
  const wrong = promoted(c, { number: 5, previous: { digest: a.digest, record: ofB.digest } });
  expect(letters(await walk(c, [a, b, c, ofB, wrong]))).toBe('c5 a-');
});

test('is 80 columns wide whatever others wrote, and none of it is taken for Markdown', async () => {
  const hostile = promoted(c, {
    run: { id: '9'.repeat(400), source: 'x' },
    from: `registry/app:${'<b>'.repeat(100)}`,
    by: '@everybody\n| x |',
  });
  const found = await walk(c, [c, hostile]);
  expect(
    historyText(found)
      .split('\n')
      .every((line) => line.length <= 80),
  ).toBe(true);
  const summary = historySummary(found);
  expect(summary).not.toContain('<b>');
  expect(summary).not.toContain('@everybody');
  expect(summary.split('\n').filter((line) => line.startsWith('| <code>'))).toHaveLength(1);
});
