import { expect, test } from 'vitest';
import type { InspectedReferrer } from '../../../src/inspect/attached.ts';
import { inspectionSummary, referrerLines } from '../../../src/inspect/attached-report.ts';
import type { Inspection } from '../../../src/inspect/inspected.ts';

const [INDEX, IMAGE, REFERRER] = ['a', 'b', 'c'].map((letter) => `sha256:${letter.repeat(64)}`) as [
  string,
  string,
  string,
];

const INSPECTION: Inspection = {
  reference: 'docker://ghcr.io/org/app:v1',
  mediaType: 'application/vnd.oci.image.index.v1+json',
  digest: INDEX,
  annotations: {},
  images: [{ platform: 'linux/arm64', digest: IMAGE, config: {}, layers: [] }],
};

const referrer: InspectedReferrer = {
  subject: IMAGE,
  artifactType: 'application/spdx+json',
  digest: REFERRER,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  size: 12_000,
  created: '2026-01-02T03:04:05Z',
  annotations: {},
  tag: null,
};

const REFERRERS: readonly InspectedReferrer[] = [
  referrer,
  {
    ...referrer,
    subject: INDEX,
    artifactType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    created: null,
    tag: `sha256-${'a'.repeat(64)}.sig`,
  },
];

test('one line each: type, digest, size, what it is of, and when it was made', () => {
  expect(referrerLines(REFERRERS, INSPECTION)).toEqual([
    '',
    'referrers',
    '  application/spdx+json                                    sha256:cccccccccccc  12.0 kB  linux/arm64  2026-01-02T03:04:05Z',
    '  application/vnd.dev.cosign.simplesigning.v1+json (.sig)  sha256:cccccccccccc  12.0 kB  index',
  ]);
  expect(referrerLines([], INSPECTION)).toEqual([]);
});

test('as Markdown nothing of theirs ends a cell or makes a link', () => {
  const hostile = { ...referrer, artifactType: 'a|b\n<img src=x> @someone', created: '](https://x)|' };
  const summary = inspectionSummary(INSPECTION, [...REFERRERS, hostile]);
  const rows = summary.split('\n').filter((line) => line.startsWith('|'));
  // Two tables of a heading and a rule, with one row and three.
  expect(rows).toHaveLength(8);
  for (const row of rows.slice(3)) expect(row.match(/\|/g)).toHaveLength(6);
  expect(summary).not.toMatch(/<img|@someone|\]\(/);
});
