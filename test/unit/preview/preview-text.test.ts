import { expect, test } from 'vitest';
import { diffImages } from '../../../src/diff/image-diff.ts';
import { overBudget, parseBudget } from '../../../src/preview/budget.ts';
import { isNewer, type Marker, markerLine, readMarker } from '../../../src/preview/marker.ts';
import { type Preview, type PreviewImage, previewText, removedText } from '../../../src/preview/preview-text.ts';
import { contents } from '../diff/contents-kit.ts';

const AMD = 'linux/amd64';
const ARM = 'linux/arm64';
const REST = 'The whole report is an artifact.';

/** An image in which `count` packages have another version. */
const image = (name: string, count = 1): PreviewImage => {
  const side = (version: string) =>
    [AMD, ARM].map((platform) =>
      contents(
        platform,
        Array.from({ length: count }, (_, at) => [`@somebody-p${at}-${version}`, 1000 + at] as const),
        [
          ['base', 1_000_000],
          [version, 2_000_000],
        ],
      ),
    );
  return {
    name,
    pull: `ghcr.io/org/${name}:pr-7`,
    byDigest: `ghcr.io/org/${name}@sha256:${'a'.repeat(64)}`,
    diff: diffImages(
      { reference: `ghcr.io/org/${name}:main`, digest: 'sha256:a', images: side('1.0') },
      { reference: `ghcr.io/org/${name}:pr-7`, digest: 'sha256:b', images: side('1.1') },
    ),
    note: null,
    over: [],
  };
};

const preview = (images: readonly PreviewImage[], more: Partial<Preview> = {}): Preview => ({
  ...{ number: 7, commit: 'c'.repeat(40), runUrl: 'https://github.com/org/app/actions/runs/77', unpublished: null },
  images,
  ...more,
});

const count = (text: string, word: string): number => text.split(word).length - 1;

test('shows how to pull each image, its digests, sizes, layers and packages', () => {
  const { text, isCut } = previewText(preview([image('app')]), 60_000, REST);
  expect(isCut).toBe(false);
  expect(text).toContain('```sh\ndocker pull ghcr.io/org/app:pr-7\n```');
  expect(text).toContain('| size | <code>3&#46;0 MB</code> | <code>3&#46;0 MB</code> |');
  expect(text).toContain('| layers reused | 1 of 2 | 1 of 2 |');
  expect(text).toContain('| digest | <code>sha256&#58;linux&#47;amd64</code> | ');
  expect(text).toContain('<details><summary>1 upgraded</summary>');
  expect(text).toContain('largest packages');
  expect(text).not.toContain(REST);
});

test('names nobody, whatever packages are called', () => {
  const { text } = previewText(preview([image('app')], { unpublished: 'it is of @somebody' }), 60_000, REST);
  expect(text).not.toContain('@somebody');
  expect(text).toContain('&#64;somebody');
});

test.each([
  [1, 5000],
  [3, 700],
  [120, 40],
  [400, 1],
])('%i images of %i changed packages fit, with every tag and fence closed', (images, packages) => {
  const one = image('app', packages);
  const all = Array.from({ length: images }, (_, at) => ({ ...one, name: `service-${at}` }));
  const { text, isCut } = previewText(preview(all), 60_000, REST);
  expect(isCut).toBe(true);
  expect(text.length).toBeLessThan(60_000);
  expect(text.length).toBeGreaterThan(15_000);
  expect(count(text, '<details>')).toBe(count(text, '</details>'));
  expect(count(text, '```') % 2).toBe(0);
  // Whole rows: every line that begins as one ends as one.
  expect(text.split('\n').filter((line) => line.startsWith('|') && !line.endsWith('|'))).toEqual([]);
  expect(text.trimEnd().endsWith(REST)).toBe(true);
});

test('an image that the base branch does not have is new', () => {
  const { diff, ...rest } = image('app');
  if (!diff) throw new Error('nothing compared');
  const fresh = diffImages(
    { reference: 'nothing', digest: null, images: [] },
    { reference: 'ghcr.io/org/app:pr-7', digest: null, images: [contents(AMD, [['a-1', 1]])] },
  );
  const { text } = previewText(preview([{ ...rest, diff: fresh }]), 60_000, REST);
  expect(text).toContain('New: the base branch has no such image.');
});

test.each([
  ['app=2MB', 'app', 2],
  ['2 MB', 'app', 2],
  ['other=2MB', 'app', 0],
  ['3MB', 'app', 0],
  ['2.9e6', 'app', -1],
  ['app=', 'app', -1],
  ['0', 'app', -1],
  ['app=2XB', 'app', -1],
])('a budget of %s for %s is exceeded on %i platforms', (line, name, expected) => {
  const { diff } = image('app');
  if (!diff) throw new Error('nothing compared');
  if (expected < 0) expect(() => parseBudget(line)).toThrow('is not a valid size budget');
  else expect(overBudget(name, diff, [parseBudget(line)])).toHaveLength(expected);
});

test("an image's own budget counts, whatever the one for all is", () => {
  const { diff } = image('app');
  if (!diff) throw new Error('nothing compared');
  const budgets = ['app=1GB', '1 kB'].map(parseBudget);
  expect(overBudget('app', diff, budgets)).toEqual([]);
  expect(overBudget('web', diff, budgets)[0]).toEqual({ platform: AMD, bytes: 3_000_000, budget: 1000 });
});

test('the closed comment says what went and what is still there', () => {
  const text = removedText(
    7,
    [
      { repository: 'ghcr.io/org/app', removed: ['pr-7', 'pr-7-abcdef0'], left: [{ tag: 'pr-7-x', why: '405' }] },
      { repository: 'ghcr.io/org/web', removed: [], left: [] },
    ],
    'https://github.com/org/app/actions/runs/78',
  );
  expect(text).toContain(
    '- <code>ghcr&#46;io&#47;org&#47;app</code>: <code>pr&#45;7</code>, <code>pr&#45;7&#45;abcdef0</code>',
  );
  expect(text).toContain('Still there:');
  expect(removedText(7, [], 'u')).toContain('nothing: no tag of it was there');
});

const MARKER: Marker = { key: 'k', run: '77', attempt: 1, state: 'there', images: ['app'] };

test('a marker is read as it was written, whatever is in it, and ends nothing early', () => {
  const marker = { ...MARKER, key: 'a --> b', images: ['x--y', '--><script>'] };
  const line = markerLine(marker);
  expect(count(line, '-->')).toBe(1);
  expect(readMarker(`${line}\ntext`)).toEqual(marker);
});

test.each([
  'text',
  `text\n${markerLine(MARKER)}`,
  '<!-- nix-images preview {} -->',
  '<!-- nix-images preview {"run":1} -->',
])('no marker in %j', (body) => {
  expect(readMarker(body)).toBeUndefined();
});

test.each([
  [{ run: '100' }, { run: '99' }, true],
  [{ run: '99' }, { run: '100' }, false],
  [{ run: '77', attempt: 2 }, { run: '77' }, true],
  [{}, {}, false],
])('%j is newer than %j: %s', (one, other, expected) => {
  expect(isNewer({ ...MARKER, ...one }, { ...MARKER, ...other })).toBe(expected);
});
