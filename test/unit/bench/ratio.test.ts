import { describe, expect, test } from 'vitest';
import { isLike, ratioOf } from '../../../bench/ratio.ts';
import { row } from './rows.ts';

const own = row({ subject: 'own', kind: 'own', wallSeconds: 5 });

describe('isLike', () => {
  test.each([
    ['gzip of the same size', { outputBytes: 1000 }, { outputBytes: 1000 }, true],
    ['gzip that is 5 % larger', { outputBytes: 1050 }, { outputBytes: 1000 }, true],
    ['gzip that is more than 5 % larger', { outputBytes: 1051 }, { outputBytes: 1000 }, false],
    ['gzip that is much smaller', { outputBytes: 10 }, { outputBytes: 1000 }, true],
    ['zstd of whatever size', { codec: 'zstd', outputBytes: 2000 }, { codec: 'zstd', outputBytes: 1000 }, true],
    ['gzip and zstd', { codec: 'gzip' }, { codec: 'zstd' }, false],
  ] as const)('%s', (_what, one, peer, expected) => {
    expect(isLike(row(one), row(peer))).toBe(expected);
  });
});

describe('ratioOf', () => {
  test('measures against the fastest peer of like output', () => {
    const rows = [own, row({ subject: 'slow', wallSeconds: 20 }), row({ subject: 'fast', wallSeconds: 10 })];
    expect(ratioOf(own, rows)).toEqual({ value: 2, peer: 'fast', unlike: false });
  });

  test('leaves out other cases, other codecs, our own, and peers whose output is far smaller', () => {
    const rows = [
      own,
      row({ subject: 'other own', kind: 'own', wallSeconds: 1 }),
      row({ subject: 'warm', case: 'unchanged', wallSeconds: 1 }),
      row({ subject: 'zstd', codec: 'zstd', wallSeconds: 1 }),
      row({ subject: 'small', outputBytes: 900, wallSeconds: 1 }),
      row({ subject: 'like', wallSeconds: 10 }),
    ];
    expect(ratioOf(own, rows)).toEqual({ value: 2, peer: 'like', unlike: false });
  });

  test('says so when no peer has like output', () => {
    const rows = [own, row({ subject: 'small', outputBytes: 900, wallSeconds: 10 })];
    expect(ratioOf(own, rows)).toEqual({ value: 2, peer: 'small', unlike: true });
  });

  test('a peer that is like no other is measured against the fastest, not against itself', () => {
    const large = row({ subject: 'large', outputBytes: 2000, wallSeconds: 20 });
    const rows = [own, large, row({ subject: 'fast', wallSeconds: 10 })];
    expect(ratioOf(large, rows)).toEqual({ value: 0.5, peer: 'fast', unlike: true });
  });

  test('the best peer has 1', () => {
    const best = row({ subject: 'best', wallSeconds: 10 });
    expect(ratioOf(best, [own, best, row({ subject: 'slow', wallSeconds: 20 })])?.value).toBe(1);
  });

  test('nothing to measure against', () => {
    expect(ratioOf(own, [own])).toBeUndefined();
  });
});
