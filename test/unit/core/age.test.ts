import { expect, test } from 'vitest';
import { ageText, parseAge } from '../../../src/core/age.ts';

const HOUR = 3_600_000;

test.each([
  ['0m', 0],
  ['90m', 1.5 * HOUR],
  ['12h', 12 * HOUR],
  ['7d', 168 * HOUR],
  ['2w', 336 * HOUR],
])('%s', (text, milliseconds) => {
  expect(parseAge(text)).toBe(milliseconds);
});

test.each(['', '7', 'd', '1.5h', '-1d', '7 d', '7D', '7days', '99999d', '1y'])('%j is no age', (text) => {
  expect(() => parseAge(text)).toThrow(/is not a valid age/);
});

test.each([
  [-5, '0m'],
  [59_999, '0m'],
  [1.5 * HOUR, '1h'],
  [23.9 * HOUR, '23h'],
  [167 * HOUR, '6d'],
  [400 * HOUR, '2w'],
])('%i ms are shown as %s', (milliseconds, text) => {
  expect(ageText(milliseconds)).toBe(text);
});
