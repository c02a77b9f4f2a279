import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { median, spread } from '../../../bench/statistics.ts';

describe('median', () => {
  test.each([
    [[7], 7],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[1, 1, 100], 1],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  test('never has more than half of the values on one side', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 });
    fc.assert(
      fc.property(values, (all) => {
        const middle = median(all);
        expect(all.filter((value) => value < middle).length).toBeLessThanOrEqual(all.length / 2);
        expect(all.filter((value) => value > middle).length).toBeLessThanOrEqual(all.length / 2);
      }),
    );
  });

  test('of nothing is refused', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('spread', () => {
  test.each([
    [[5], 0],
    [[9, 10, 11], 0.2],
    [[0, 0], 0],
  ])('of %j is %d', (values, expected) => {
    expect(spread(values)).toBeCloseTo(expected);
  });
});
