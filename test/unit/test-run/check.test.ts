import { describe, expect, test } from 'vitest';
import type { ExpectedFile, ExpectedText } from '../../../src/definition/image-tests.ts';
import type { ReadEntry } from '../../../src/tar/reader.ts';
import { checkFile } from '../../../src/test-run/check-files.ts';
import { checkText } from '../../../src/test-run/check-text.ts';

describe('checkText', () => {
  test.each<[string, ExpectedText, string]>([
    ['equals', { equals: 'a\n' }, 'a\n'],
    ['contains', { contains: 'b' }, 'abc'],
    ['an empty part', { contains: '' }, ''],
    ['matches, at the ends of a line', { matches: '^b$' }, 'a\nb\nc'],
    ['matches letters by property', { matches: '^\\p{Lu}' }, 'Ä'],
    ['all at once', { equals: 'abc', contains: 'b', matches: 'c$' }, 'abc'],
  ])('%s holds', (_name, expected, text) => {
    expect(checkText('stdout', expected, text)).toBeUndefined();
  });

  test('an expression that tries more ways than there is time for does not hold, and says so', () => {
    expect(checkText('stdout', { matches: '^(a+)+$' }, `${'a'.repeat(60)}!`, 50)).toMatchObject({
      expected: 'stdout that matches /^(a+)+$/mu',
      got: expect.stringMatching(/^stdout "a+!", on which the expression found no end within 0.05 s$/),
    });
  });

  test.each<[string, ExpectedText, string, string, string]>([
    ['equals, line ends included', { equals: 'a' }, 'a\n', 'stdout equal to "a"', 'stdout "a\\n"'],
    ['contains', { contains: 'x' }, 'abc', 'stdout that contains "x"', 'stdout "abc"'],
    ['matches', { matches: '^x' }, 'abc', 'stdout that matches /^x/mu', 'stdout "abc"'],
    ['one of several', { contains: 'b', matches: 'd' }, 'abc', 'stdout that matches /d/mu', 'stdout "abc"'],
    ['anything, of nothing', { contains: 'x' }, '', 'stdout that contains "x"', 'an empty stdout'],
    [
      'a long text',
      { equals: '' },
      'y'.repeat(5000),
      'stdout equal to ""',
      `stdout "${'y'.repeat(200)}"… (5000 characters)`,
    ],
  ])('%s does not hold', (_name, stated, text, expected, got) => {
    expect(checkText('stdout', stated, text)).toEqual({ expected, got });
  });
});

const file: ExpectedFile = { exists: true, mode: null, uid: null, gid: null, text: null };
const entry: ReadEntry = {
  name: 'app.conf',
  type: '0',
  mode: 0o640,
  uid: 7,
  gid: 8,
  mtime: 1,
  size: 3,
  link: '',
  content: Buffer.from('on\n'),
};
const folder: ReadEntry = { ...entry, type: '5', size: 0, content: Buffer.alloc(0) };

describe('checkFile', () => {
  test.each<[string, ExpectedFile, ReadEntry | undefined]>([
    ['is there', file, entry],
    ['is there, as a folder', file, folder],
    ['is not there', { ...file, exists: false }, undefined],
    ['all of it', { exists: true, mode: '0640', uid: 7, gid: 8, text: { equals: 'on\n' } }, entry],
    ['mode without a leading zero', { ...file, mode: '640' }, entry],
  ])('%s', (_name, expected, found) => {
    expect(checkFile('/etc/app.conf', expected, found)).toBeUndefined();
  });

  test.each<[string, ExpectedFile, ReadEntry | undefined, string, string]>([
    ['missing', file, undefined, 'a file /f', 'no such file'],
    ['there', { ...file, exists: false }, entry, 'no file /f', 'there is one'],
    ['another mode', { ...file, mode: '4755' }, entry, '/f with mode 4755', 'mode 0640'],
    ['another user', { ...file, uid: 0 }, entry, '/f of user 0', 'user 7'],
    ['another group', { ...file, gid: 0 }, entry, '/f of group 0', 'group 8'],
    [
      'another text',
      { ...file, text: { contains: 'off' } },
      entry,
      'text of /f that contains "off"',
      'text of /f "on\\n"',
    ],
    ['a folder has no text', { ...file, text: { contains: '' } }, folder, '/f with text', 'a directory or device'],
    [
      'too large to look at',
      { ...file, text: { contains: '' } },
      { ...entry, size: 2 ** 21 },
      '/f with at most 1048576 bytes, to look at its text',
      '2097152 bytes',
    ],
  ])('%s', (_name, stated, found, expected, got) => {
    expect(checkFile('/f', stated, found)).toEqual({ expected, got });
  });
});
