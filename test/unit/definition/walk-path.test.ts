import { describe, expect, test } from 'vitest';
import { LINK_LIMIT, walkPath } from '../../../src/definition/walk-path.ts';

const LINKS: Readonly<Record<string, string>> = {
  bin: 'usr/bin',
  'usr/sh': '/bin/./sh',
  'etc/up': '../../../bin/..',
  loop: 'loop',
};

const linkAt = (names: readonly string[]): string | undefined => LINKS[names.join('/')];

describe('walkPath', () => {
  test.each([
    ['/etc//passwd/', 'etc/passwd'],
    ['passwd', 'etc/passwd'],
    ['..', ''],
    ['../../../bin', 'usr/bin'],
    ['/usr/sh', 'usr/bin/sh'],
    ['up/lib', 'usr/lib'],
    ['/bin/../lib', 'usr/lib'],
  ])('from /etc, %s is /%s', (path, expected) => {
    expect(walkPath(['etc'], path, linkAt)?.join('/')).toBe(expected);
  });

  test('a loop leads nowhere, as many links as the kernel follows do not', () => {
    expect(walkPath([], 'loop', linkAt)).toBeUndefined();
    const chain = (length: number) =>
      walkPath([], '0', ([name]) => (Number(name) < length ? String(Number(name) + 1) : undefined));
    expect([chain(LINK_LIMIT)?.join('/'), chain(LINK_LIMIT + 1)]).toEqual([String(LINK_LIMIT), undefined]);
  });

  test('says how many links were followed and whether a name is the last, and ends where it is told', () => {
    const seen: unknown[] = [];
    const walked = walkPath([], 'bin/sh/', (names, way) => {
      seen.push([names.join('/'), way.links, way.isLast]);
      return names.at(-1) === 'sh' ? null : linkAt(names);
    });
    expect(walked).toBeUndefined();
    expect(seen).toEqual([
      ['bin', 0, false],
      ['usr', 1, false],
      ['usr/bin', 1, false],
      ['usr/bin/sh', 1, true],
    ]);
  });
});
