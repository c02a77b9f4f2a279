import { expect, test } from 'vitest';
import type { LayerOutcome } from '../../../src/image/layer-outcome.ts';
import { layerData, layerSummary, layerText } from '../../../src/image/layer-table.ts';
import { digestOf } from '../../../src/oci/digest.ts';

const outcome = (label: string, more: Partial<LayerOutcome> = {}): LayerOutcome => ({
  ...{ label, digest: digestOf(Buffer.from('')), size: 10, unpackedSize: 20, way: 'reused', why: undefined },
  ...{ bytesSent: 0, milliseconds: 0 },
  ...more,
});

const made = (label: string, more: Partial<LayerOutcome> = {}): LayerOutcome =>
  outcome(label, {
    ...{ way: 'made', size: 4_000_000, unpackedSize: 10_000_000, bytesSent: 4_000_000, milliseconds: 500 },
    why: { kind: 'key', added: ['/nix/store/x-openssl'], gone: [] },
    ...more,
  });

test('each new layer has a row with its rate and reason, and what is reused has one together', () => {
  const outcomes = [outcome('a'), made('openssl'), outcome('b'), outcome('c', { way: 'shared', bytesSent: 10 })];
  expect(layerText({ outcomes, bytesSent: 4_001_010 })).toBe(
    [
      'layer                                unpacked  compressed    sent       rate  why',
      'openssl                               10.0 MB      4.0 MB  4.0 MB  20.0 MB/s  key changed: /nix/store/x-openssl',
      '2 layers reused                          40 B        20 B     0 B',
      '1 layer of other images of this run      20 B        10 B    10 B',
      'config and manifest                                        1.0 kB',
      'total                                 10.0 MB      4.0 MB  4.0 MB',
    ].join('\n'),
  );
});

test('nothing is said where every layer was reused, or nobody made any', () => {
  expect(layerText({ outcomes: [outcome('a')], bytesSent: 500 })).toBe('');
  expect(layerSummary({ bytesSent: 500 })).toBe('');
  expect(layerData({ bytesSent: 500 })).toBeUndefined();
});

test('of a first image no row gives a reason, and of a layer that took no time no rate', () => {
  const outcomes = [made('a', { why: { kind: 'first' }, milliseconds: 2 })];
  expect(layerText({ outcomes, bytesSent: 4_000_000 })).toBe(
    [
      'layer  unpacked  compressed    sent  rate',
      'a       10.0 MB      4.0 MB  4.0 MB',
      'total   10.0 MB      4.0 MB  4.0 MB',
    ].join('\n'),
  );
});

test('of many new layers the largest are named, and the others counted', () => {
  const outcomes = Array.from({ length: 50 }, (_, at) => made(`layer ${at}`, { unpackedSize: 1000 + at }));
  const lines = layerText({ outcomes, bytesSent: 200_000_000 }).split('\n');
  expect(lines).toHaveLength(23);
  expect(lines[1]).toMatch(/^layer 49 /);
  expect(lines[21]).toMatch(/^30 layers new +30\.4 kB +120\.0 MB +120\.0 MB$/);
});

test('a size that nobody knows is said to be unknown', () => {
  const outcomes = [made('a'), outcome('base', { way: 'copied', unpackedSize: undefined })];
  expect(layerText({ outcomes, bytesSent: 4_000_000 })).toMatch(/^total +unknown +4\.0 MB/m);
});

test('texts of others are no Markdown and no lines of their own', () => {
  const outcomes = [made('a\n| *b*')];
  expect(layerSummary({ outcomes, bytesSent: 4_000_000 })).not.toContain('*b*');
  expect(layerText({ outcomes, bytesSent: 4_000_000 }).split('\n')).toHaveLength(3);
});

test('data has every layer, with null for what is not known', () => {
  expect(layerData({ outcomes: [outcome('a', { unpackedSize: undefined })], bytesSent: 0 })).toMatchObject([
    { label: 'a', way: 'reused', why: null, unpackedSize: null, bytesSent: 0 },
  ]);
});
