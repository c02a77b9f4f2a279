import { expect, test } from 'vitest';
import { diffImages } from '../../../src/diff/image-diff.ts';
import { diffMarkdown } from '../../../src/diff/markdown.ts';
import { diffText } from '../../../src/diff/report.ts';
import { contents } from './contents-kit.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

const AMD = 'linux/amd64';
const ARM = 'linux/arm64';

const diff = diffImages(
  {
    reference: 'ghcr.io/org/app:main',
    digest: DIGEST,
    images: [
      contents(
        AMD,
        [
          ['openssl-3.0.15', 5_000_000],
          ['bash-5.2', 1_000_000],
          ['old-1', 10],
        ],
        [
          ['x', 4_000_000],
          ['y', 1000],
        ],
      ),
      contents(
        ARM,
        [
          ['openssl-3.0.15', 5_100_000],
          ['bash-5.2', 1_000_000],
          ['old-1', 10],
        ],
        [['z', 4_000_000]],
      ),
    ],
  },
  {
    reference: 'ghcr.io/org/app:pr-7',
    digest: DIGEST,
    images: [
      contents(
        AMD,
        [
          ['openssl-3.0.16', 5_012_000],
          ['bash-5.2', 1_000_000],
          ['zstd-1.5', 800_000],
        ],
        [
          ['x', 4_000_000],
          ['w', 2000],
        ],
      ),
      contents(
        ARM,
        [
          ['openssl-3.0.16', 5_100_000],
          ['bash-5.2', 1_000_000, 'again'],
          ['zstd-1.5', 700_000],
        ],
        [['z', 4_000_000]],
      ),
    ],
  },
);

test('both platforms side by side, in the width of a terminal', () => {
  const text = diffText(diff);
  expect(`\n${text}\n`).toBe(`
old  ghcr.io/org/app:main  sha256:aaaaaaaaaaaa
new  ghcr.io/org/app:pr-7  sha256:aaaaaaaaaaaa

                                  linux/amd64         linux/arm64
size                         4.0 MB (+1.0 kB)              4.0 MB
closure                    6.8 MB (+812.0 kB)  6.8 MB (+700.0 kB)
packages                                    3                   3
layers reused                          1 of 2              1 of 1
to download                            2.0 kB                 0 B

upgraded
  openssl 3.0.15 → 3.0.16            +12.0 kB                ±0 B

added
  zstd 1.5                          +800.0 kB           +700.0 kB

removed
  old 1                                 −10 B               −10 B

rebuilt, same version
  bash 5.2                                                   ±0 B

largest of the new image
  openssl                              5.0 MB              5.1 MB
  bash                                 1.0 MB              1.0 MB
  zstd                               800.0 kB            700.0 kB
`);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('a long name is cut, and a name of another maker is one line', () => {
  const after = contents(AMD, [[`${'long-name-'.repeat(10)}1`, 5]]);
  const image = { reference: 'oci:a\nb', digest: null };
  const lines = diffText(diffImages({ ...image, images: [contents(AMD, [])] }, { ...image, images: [after] })).split(
    '\n',
  );
  expect(lines[0]).toBe('old  oci:a b  not published');
  expect(lines.find((line) => line.includes('long-name'))).toContain('…');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test.each([
  ['the same image', contents(AMD, [['a-1', 1]]), contents(AMD, [['a-1', 1]]), 'no package changed'],
  ['a maker who names no paths', contents(AMD, null), contents(AMD, [['a-1', 1]]), 'does not say which packages'],
  ['a platform that goes', contents(AMD, [['a-1', 1]]), undefined, 'platform is gone'],
  ['a platform that comes', undefined, contents(AMD, [['a-1', 1]]), 'new platform'],
])('%s is said', (_name, before, after, expected) => {
  const sides = [before, after].map((side) => ({ reference: 'r', digest: null, images: side ? [side] : [] }));
  const [old, now] = sides as [(typeof sides)[0], (typeof sides)[0]];
  expect(diffText(diffImages(old, now))).toContain(expected);
});

test('a summary folds the changes, counts what is left out, and shows names as they are', () => {
  const markdown = diffMarkdown('app', diff);
  expect(markdown).toContain('<summary>1 upgraded, 1 added, 1 removed, 1 rebuilt, same version</summary>');
  expect(markdown).toContain('| <code>openssl</code> | upgraded |');
  expect(diffMarkdown('app', diff, 2)).toContain('\n2 more\n');
  const image = { reference: 'r', digest: null };
  const hostile = diffImages(
    { ...image, images: [contents(AMD, [])] },
    { ...image, images: [contents(AMD, [['a+b_?=-1', 1]])] },
  );
  expect(diffMarkdown('@team', hostile)).not.toMatch(/a\+b_|@team/);
});
