import { expect, test } from 'vitest';
import { globFilter } from '../../../src/core/glob.ts';
import { filterSystems } from '../../../src/plan/filter.ts';

test.each([
  [[], ['app'], true],
  [['app'], ['app'], true],
  [['app'], ['apple'], false],
  [['web-*'], ['web-a/b'], true],
  [['web-?'], ['web-12'], false],
  [['a.c'], ['abc'], false],
  [['!app'], ['other'], true],
  [['!app'], ['app'], false],
  [['*', '!app'], ['team', 'app'], false],
  [['!app', 'app'], ['app'], false],
  [['packages.*'], ['app', 'packages.x86_64-linux.app'], true],
  [['[a]'], ['a'], false],
] as const)('%j lets %j pass: %s', (globs, spellings, expected) => {
  expect(globFilter(globs)(spellings)).toBe(expected);
});

test.each([
  [[], ['x86_64-linux', 'aarch64-linux']],
  [['aarch64-*'], ['aarch64-linux']],
  [['!aarch64-linux'], ['x86_64-linux']],
] as const)('%j are the systems %j', (globs, expected) => {
  expect(filterSystems(globs)).toEqual(expected);
});

test.each([[['riscv64-linux']], [['!riscv64-linux']], [['!*']]])('%j is refused, with what is allowed', (globs) => {
  expect(() => filterSystems(globs)).toThrow(
    expect.objectContaining({ code: 'input', hint: expect.stringContaining('x86_64-linux and aarch64-linux') }),
  );
});
