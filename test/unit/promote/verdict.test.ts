import { expect, test } from 'vitest';
import type { RecordedPromotion } from '../../../src/channel/record.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { judge, nextNumber } from '../../../src/promote/verdict.ts';

const SOURCE = 'https://github.com/org/app';

const imageOf = (run: string | undefined, source: string = SOURCE): StoredManifest => {
  const annotations = { 'org.opencontainers.image.source': source, 'io.nix-images.image.run': run };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [], annotations }));
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
};

const head = (run: string | undefined, number: number = 1): RecordedPromotion =>
  ({ number, run: run === undefined ? undefined : { id: run, source: SOURCE } }) as RecordedPromotion;

const live = (image: string | undefined, mover?: RecordedPromotion) => ({ image: imageOf(image), head: mover });

test.each([
  // What the channel means, who moved it, the image and the run that would move it.
  ['a new channel', undefined, '5', '6', 'move'],
  ['a newer image, by a newer run', live('4', head('5')), '6', '7', 'move'],
  ['what it means already', live('4', head('9')), '4', '5', 'same'],
  ['a channel that a newer run has moved', live('4', head('9')), '6', '7', 'newer'],
  ['a channel that a newer run has published to', live('9'), '6', '7', 'newer'],
  ['a channel that a newer run has rolled back', live('2', head('9')), '6', '7', 'newer'],
  ['an older image, by a newer run', live('6', head('7')), '4', '9', 'older'],
  ['an older image, by a person', live('6', head('7')), '4', undefined, 'older'],
  ['a newer image, by a person', live('4', head('9')), '6', undefined, 'move'],
  ['over what a person moved there', live('4', head(undefined)), '6', '5', 'move'],
  ['over an image that does not say who made it', live(undefined), '4', '5', 'move'],
  ['an image that does not say who made it', live('9', head('3')), undefined, '5', 'move'],
  [
    'runs whose ids are larger than doubles hold',
    live('4', head('90071992547409931')),
    '6',
    '90071992547409930',
    'newer',
  ],
] as const)('%s', (_name, channel, image, run, kind) => {
  const ours = run && { id: run, source: SOURCE };
  expect(judge(imageOf(image), channel, { run: ours, order: 'forward' }).kind).toBe(kind);
  // Who means it may.
  const isMove = kind !== 'same';
  expect(judge(imageOf(image), channel, { run: ours, order: 'any' }).kind).toBe(isMove ? 'move' : 'same');
  // A rollback goes to an older image, and does not undo what a newer run did.
  expect(judge(imageOf(image), channel, { run: ours, order: 'runs' }).kind).toBe(kind === 'older' ? 'move' : kind);
});

test('runs of different repositories have no order', () => {
  const other = { id: '1', source: 'https://github.com/org/other' };
  expect(judge(imageOf('6', other.source), live('9', head('9')), { run: other, order: 'forward' }).kind).toBe('move');
});

test('a record has a larger number than all that its maker sees', () => {
  expect(nextNumber(undefined, [])).toBe(1);
  expect(nextNumber(live('1', head('1', 4)), [])).toBe(5);
  expect(nextNumber(live('1'), [head('1', 2), head('1', 7)])).toBe(8);
});
