import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareRecords, type Promotion, promotionIn, recordOf } from '../../../src/channel/record.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';

const digest = fc.string().map((text) => digestOf(Buffer.from(text)));
const state = fc.option(fc.record({ digest, record: fc.option(digest, { nil: undefined }) }), { nil: undefined });
const subjectBytes = Buffer.from('{"schemaVersion":2}');
const SUBJECT = { bytes: subjectBytes, mediaType: MEDIA_TYPE.index, digest: digestOf(subjectBytes) };
const text = fc.string({ minLength: 1, maxLength: 100 });

const promotion: fc.Arbitrary<Promotion> = fc.record({
  repository: text,
  channel: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/),
  digest: fc.constant(SUBJECT.digest),
  kind: fc.constantFrom('promote', 'rollback'),
  number: fc.integer({ min: 1, max: 999_999_999 }),
  previous: state,
  below: state,
  from: text,
  time: fc.constant('2026-01-31T12:00:00Z'),
  run: fc.option(fc.record({ id: text, source: text }), { nil: undefined }),
  by: fc.option(text, { nil: undefined }),
});

test('what is recorded is read back, byte for byte the same each time', () => {
  fc.assert(
    fc.property(promotion, (one) => {
      const record = recordOf(SUBJECT, one);
      expect(promotionIn(record)).toEqual({ ...one, record: record.digest });
      expect(recordOf(SUBJECT, structuredClone(one)).digest).toBe(record.digest);
    }),
  );
});

const GOOD = {
  ...{ repository: 'docker://ghcr.io/org/app', channel: 'stable', digest: SUBJECT.digest, kind: 'promote' },
  ...{ number: 1, previous: undefined, below: undefined, from: 'ghcr.io/org/app:edge' },
  ...{ time: '2026-01-31T12:00:00Z', run: undefined, by: undefined },
} as const satisfies Promotion;

test('records are in the same order for everybody: by number, time, and in the end by their digests', () => {
  const record = (number: number, time: string, digit: string) => ({
    ...GOOD,
    number,
    time,
    record: `sha256:${digit.repeat(64)}` as Digest,
  });
  const ordered = [
    record(1, '2026-02-01T00:00:00Z', '9'),
    record(2, '2026-01-01T00:00:00Z', '8'),
    record(2, '2026-01-02T00:00:00Z', '1'),
    record(2, '2026-01-02T00:00:00Z', '2'),
  ];
  expect(ordered.toSorted(compareRecords)).toEqual(ordered);
  expect(ordered.toReversed().sort(compareRecords)).toEqual(ordered);
});

const PREFIX = 'io.nix-images.promotion.';

test.each<[string, (content: { annotations: Record<string, string> } & Record<string, unknown>) => unknown]>([
  ['of another type', (content) => ({ ...content, artifactType: 'application/spdx+json' })],
  ['without a subject', ({ subject: _subject, ...content }) => content],
  ['without annotations', ({ annotations: _annotations, ...content }) => content],
  ['of a channel that is no tag', (content) => changed(content, 'channel', 'a b')],
  ['of number 0', (content) => changed(content, 'number', '0')],
  ['of a number that is none', (content) => changed(content, 'number', '1e9')],
  ['whose previous is no digest', (content) => changed(content, 'previous', 'sha256:0')],
  ['of another kind', (content) => changed(content, 'kind', 'force')],
  ['with a text of a megabyte', (content) => changed(content, 'from', 'x'.repeat(1 << 20))],
  [
    'of no time',
    ({ annotations, ...content }) => ({
      ...content,
      annotations: { ...annotations, 'org.opencontainers.image.created': 'today' },
    }),
  ],
])('a record %s is none', (_name, change) => {
  const content = JSON.parse(Buffer.from(recordOf(SUBJECT, GOOD).bytes).toString());
  const read = (json: unknown) => {
    const bytes = Buffer.from(JSON.stringify(json));
    return promotionIn({ bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) });
  };
  expect(read(content)).toMatchObject(GOOD);
  expect(read(change(content))).toBeUndefined();
});

const changed = (content: { annotations: Record<string, string> }, name: string, value: string) => ({
  ...content,
  annotations: { ...content.annotations, [PREFIX + name]: value },
});
