import { expect, test } from 'vitest';
import { withinTime } from '../../../src/core/time-limit.ts';

const HUNGRY = /^(a+)+$/;

test('work that ends gives its value, and what it throws', () => {
  expect(withinTime(5000, () => 7)).toEqual({ value: 7 });
  expect(withinTime(5000, () => undefined)).toEqual({ value: undefined });
  expect(() =>
    withinTime(5000, () => {
      throw new TypeError('x');
    }),
  ).toThrow(TypeError);
});

test('an expression that would take for ever is ended, and the next one works', () => {
  expect(withinTime(50, () => HUNGRY.test(`${'a'.repeat(60)}!`))).toBeUndefined();
  expect(withinTime(5000, () => HUNGRY.test('aaa'))).toEqual({ value: true });
});
