import { expect, test } from 'vitest';
import { joinExtents } from '../../../src/disk/extent.ts';

test('extents that touch or overlap are one, in whatever order they come', () => {
  const extents = [
    { offset: 30, length: 5 },
    { offset: 0, length: 10 },
    { offset: 10, length: 5 },
    { offset: 12, length: 8 },
    { offset: 13, length: 1 },
  ];
  const before = structuredClone(extents);
  expect(joinExtents(extents)).toEqual([
    { offset: 0, length: 20 },
    { offset: 30, length: 5 },
  ]);
  expect(extents).toEqual(before);
});
