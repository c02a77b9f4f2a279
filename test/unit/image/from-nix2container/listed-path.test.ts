import { describe, expect, test } from 'vitest';
import { createMatcher, listedPath, listedPathSchema } from '../../../../src/image/from-nix2container/listed-path.ts';

const STORE_PATH = `/nix/store/${'a'.repeat(32)}-x`;
const parse = (options: object) => listedPath(listedPathSchema.parse({ path: STORE_PATH, options }));
const perms = (regex: string) => parse({ perms: [{ regex, mode: '0644' }] });

test('patterns that would take for ever are ended, and the error names the path', () => {
  const path = perms('(a+)+$');
  const work = () => path.permissions[0]?.matches(`/${'a'.repeat(60)}/`);
  expect(() => createMatcher(50).run(path, work)).toThrow(`the patterns for ${STORE_PATH} found no end within 0.05 s`);
});

test('all patterns of a layer share their time', () => {
  const path = perms('(a+)+$');
  const matcher = createMatcher(60);
  const work = () => path.permissions[0]?.matches(`/${'a'.repeat(60)}/`);
  expect(() => matcher.run(path, work)).toThrow('found no end');
  expect(() => matcher.run(path, work)).toThrow('found no end');
  expect(matcher.run(parse({}), () => 'a path without patterns takes none')).toBe('a path without patterns takes none');
});

describe('syntax that Go and JavaScript read differently is refused', () => {
  test.each([
    '\\Afoo',
    'foo\\z',
    '\\Qa.b\\E',
    '[[:alpha:]]',
    '(?P<n>x)',
    '(?i)x',
    '(?s:x)',
    '\\pL',
    '(?U)a+',
  ])('%s', (regex) => {
    expect(() => perms(regex)).toThrow('known to Go alone');
  });

  test.each(['/bin/.*', '^/nix/store/[a-z0-9]+-x/bin/(a|b)$', 'a\\.b', '(?:x)', '\\d+'])('%s is taken', (regex) => {
    expect(perms(regex).hasPatterns).toBe(true);
  });

  test('what is no pattern', () => {
    expect(() => perms('(')).toThrow('which is not a regular expression');
  });
});
