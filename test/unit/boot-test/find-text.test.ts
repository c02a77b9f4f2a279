import { expect, test } from 'vitest';
import { findText } from '../../../src/boot-test/find-text.ts';

// What came before the tenth character is not kept any more.
const view = { text: 'booted\nserver login: \nbooted\n', start: 10 };

test.each([
  ['a text', { contains: 'booted' }, 0, 16],
  ['the next of the same', { contains: 'booted' }, 16, 38],
  ['none after the last', { contains: 'booted' }, 38, undefined],
  ['an expression', { matches: '^booted$' }, 0, 16],
  ['an expression at the beginning of a line alone', { matches: '^ooted' }, 11, undefined],
  ['no beginning of a line where looking begins', { matches: '^oted' }, 12, undefined],
  ['the later end of two', { contains: 'booted', matches: 'login: $' }, 0, 31],
  ['not one of two', { contains: 'booted', matches: 'password' }, 0, undefined],
])('finds %s', (_name, expected, from, end) => {
  expect(findText(expected, view, from)).toBe(end);
});

test('an expression that finds no end is told', () => {
  expect(findText({ matches: '^(a+)+$' }, { text: `${'a'.repeat(40)}b`, start: 0 }, 0, 20)).toBe('endless');
});
