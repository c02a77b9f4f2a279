import { expect, test } from 'vitest';
import { ageText, parseAge } from '../../../src/core/age.ts';
import { checkPolicy, parseKeepLast, parseMaxAge, parseTagPattern } from '../../../src/prune/policy.ts';
import { previewNumber } from '../../../src/prune/preview-tag.ts';

test.each([
  ['v*', 'v1.2', true],
  ['v*', 'latest', false],
  ['main-?', 'main-1', true],
  ['main-?', 'main-12', false],
  ['v1', 'v1', true],
  ['v1', 'v1.2', false],
  ['>=1.2', 'v1.2.0', true],
  ['>=1.2', '1.1.9', false],
  ['>=1.2', '10', true],
  ['>=1.2', 'main', false],
  ['>= 1.2 <3', '2.9.9', true],
  ['>=1.2 <3', 'v3', false],
  ['>1.2', '1.2.9', false],
  ['>1.2', '1.3', true],
  ['<=1.2', '1.2.9', true],
  ['<=1.2', '1.3.0', false],
  ['^2', '2.11.3', true],
  ['^2', '3.0.0', false],
  ['^0.3', '0.3.9', true],
  ['^0.3', '0.4.0', false],
  ['^0.0.3', '0.0.4', false],
  ['~1.4', '1.4.7', true],
  ['~1.4', '1.5.0', false],
  ['~1', '1.9.0', true],
  ['=1.4', '1.4.2', true],
  ['=1.4.2', '1.4.3', false],
  ['>=1', '2.0.0-rc.1', false],
  ['>=1', '1.2.3.4', false],
])('%s matches %s: %s', (pattern, tag, expected) => {
  expect(parseTagPattern(pattern).matches(tag)).toBe(expected);
});

test.each(['>=x', '>=1 || <3', '^', 'a b', 'a\u0007', ''])('%j is not a pattern of names', (pattern) => {
  expect(() => parseTagPattern(pattern)).toThrow(/is not a valid/);
});

test.each([
  ['90m', 5_400_000, '1h'],
  ['12h', 43_200_000, '12h'],
  ['6d', 518_400_000, '6d'],
  ['14d', 1_209_600_000, '2w'],
  ['0d', 0, '0m'],
])('%s is an age', (text, milliseconds, shown) => {
  expect(parseAge(text)).toBe(milliseconds);
  expect(ageText(milliseconds)).toBe(shown);
});

test.each(['', '30', 'd', '-1d', '1y', '1.5d', '30 days', '9999999d'])('%j is not an age', (text) => {
  expect(() => parseAge(text)).toThrow('is not a valid age');
});

test('limits are for all tags, or for those of a pattern', () => {
  const [all, some] = [parseKeepLast('10'), parseKeepLast('5 of nightly-*')];
  expect([all.value, all.tags.matches('x'), some.value, some.tags.matches('x')]).toEqual([10, true, 5, false]);
  expect(some.tags.matches('nightly-1')).toBe(true);
  expect(parseMaxAge('2d of >=1 <2').tags.matches('1.5')).toBe(true);
  for (const wrong of ['ten', '-1', '5 nightly-*', '5 of', '1.5']) expect(() => parseKeepLast(wrong)).toThrow();
});

test('only what names a pull request is a preview, and exactly that one', () => {
  const tags = ['pr-2', 'pr-26', 'pr-2-0a1b2c3', 'pr-2-0a1b2c3d4e5f', 'pr-02', 'pr-2-main', 'pr-2x', 'xpr-2', 'pr-'];
  expect(tags.map(previewNumber)).toEqual([2, 26, 2, 2, ...Array(5).fill(undefined)]);
});

test('a policy that only keeps removes nothing, and says so', () => {
  const nothing = { keepLast: [], maxAge: [], keepTags: [parseTagPattern('v*')], untagged: undefined, keepHistory: 1 };
  expect(() => checkPolicy({ ...nothing, closedPreviews: false })).toThrow('the policy removes nothing');
  checkPolicy({ ...nothing, closedPreviews: true });
  checkPolicy({ ...nothing, closedPreviews: false, untagged: 0 });
});
