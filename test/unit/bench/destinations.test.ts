import { expect, test } from 'vitest';
import { destinationsResult, destinationsText } from '../../../bench/destinations.ts';

test.each([
  [6.4, 1.2, /1\.20, at most 1\.3: reached/],
  [7, 1.5, /1\.50, at most 1\.3: missed/],
])('the sending is taken off before what is left is compared: %d', (four, ratio, says) => {
  const result = destinationsResult({ one: [2, 9, 2], four: [four, four, 0], sending: [4, 4, 5] }, 0.1);
  expect(result).toMatchObject({ one: 2, four, sending: 4, runs: 3 });
  expect(result.ratio).toBeCloseTo(ratio);
  expect(destinationsText(result)).toMatch(says);
});
