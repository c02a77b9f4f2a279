import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { parseCopyList } from '../../../src/publish/copy-list.ts';
import { parseDestinationLine } from '../../../src/publish/destination-line.ts';
import { formatLocation } from '../../../src/storage/location.ts';

const parse = (text: string, to: readonly string[] = []) =>
  parseCopyList(text, 'images.txt', to.map(parseDestinationLine)).map(({ line, source, to: templates }) => ({
    line,
    source: formatLocation(source),
    to: templates.map(({ line: text }) => text),
  }));

const refused = (text: string, to: readonly string[] = []): UserError => {
  try {
    parse(text, to);
  } catch (error) {
    if (error instanceof UserError) return error;
  }
  throw new Error('it was taken');
};

test('one image a line, with comments, blank lines, tabs, ends of lines of Windows and a byte order mark', () => {
  const text = [
    '\ufeff# what goes to the mirror',
    '',
    'ghcr.io/Org/app:v1\tmirror.example/{name}   # the app',
    '  docker://ghcr.io/org/db@sha256:0000000000000000000000000000000000000000000000000000000000000000 oci:db:v2 mirror.example/db:v2',
    'oci-archive:all.tar:org/app:v1 mirror.example/app#1',
  ];
  // A # within a word begins no comment: it is an error of that word.
  expect(refused(text.join('\r\n')).message).toContain('images.txt:5: ');
  expect(parse(text.slice(0, 4).join('\r\n'))).toEqual([
    { line: 3, source: 'docker://ghcr.io/org/app:v1', to: ['mirror.example/{name}'] },
    {
      line: 4,
      source: `docker://ghcr.io/org/db@sha256:${'0'.repeat(64)}`,
      to: ['oci:db:v2', 'mirror.example/db:v2'],
    },
  ]);
});

test('options stand behind their destination', () => {
  expect(parse('ghcr.io/a:v1 oci:a tag=v1 tag=v2 mirror.example/a may-fail')).toEqual([
    { line: 1, source: 'docker://ghcr.io/a:v1', to: ['oci:a tag=v1 tag=v2', 'mirror.example/a may-fail'] },
  ]);
  expect(refused('ghcr.io/a:v1 mirror.example/a mayfail').message).toContain('unknown option mayfail');
});

test('a destination for all lines counts where a line has none', () => {
  expect(parse('ghcr.io/a:v1\nghcr.io/b:v1 oci:b', ['mirror.example/{name}'])).toEqual([
    { line: 1, source: 'docker://ghcr.io/a:v1', to: ['mirror.example/{name}'] },
    { line: 2, source: 'docker://ghcr.io/b:v1', to: ['oci:b'] },
  ]);
});

test('every line that is wrong is named, and nothing is copied', () => {
  const error = refused(
    ['ghcr.io/a:v1 oci:a', 'ghcr.io/b:v1', 'dir:/x oci:c', 'ghcr.io/d:v1 oci:{tag}', 'ghcr.io/e::1 oci:e'].join('\n'),
  );
  expect(error.code).toBe('input');
  const lines = error.message.split('\n').map((line) => line.trim());
  expect(lines.map((line) => line.slice(0, 14))).toEqual(
    [2, 3, 4, 5].map((line) => `images.txt:${line}: `.slice(0, 14)),
  );
  expect(lines[0]).toBe('images.txt:2: the destination is missing');
  expect(lines[1]).toContain('it holds files of disks');
  expect(error.hint).toContain('Nothing was copied.');
});

test('of very many wrong lines some are shown', () => {
  const message = refused('dir:/x oci:c\n'.repeat(500)).message;
  expect(message.split('\n')).toHaveLength(11);
  expect(message).toContain('and 490 more');
});

test.each(['', '# nothing\n\n'])('a list without an image is an error', (text) => {
  expect(refused(text).message).toBe('images.txt lists no image');
});
