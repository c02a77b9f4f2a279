import { expect, test } from 'vitest';
import { diffImages } from '../../../src/diff/image-diff.ts';
import { readLock } from '../../../src/update/lock.ts';
import { lockChanges } from '../../../src/update/lock-change.ts';
import { OWN_TRAILER } from '../../../src/update/own-commits.ts';
import { type ImageReport, updateBody, updateMessage, updateTitle } from '../../../src/update/pull-request.ts';
import { contents } from '../diff/contents-kit.ts';
import { flakeLock } from './kit.ts';

const changesOf = (...names: string[]) => {
  const lock = (rev: string) =>
    readLock('flake', flakeLock(Object.fromEntries(names.map((name, at) => [name, { rev, time: at }]))), 'flake.lock');
  return lockChanges(lock('1'), lock('2'));
};

const side = (reference: string, packages: readonly string[]) => ({
  reference,
  digest: null,
  images: [
    contents(
      'linux/amd64',
      packages.map((name) => [name, 1000] as const),
    ),
  ],
});

const numbered = (count: number, version: string) =>
  Array.from({ length: count }, (_, at) => `package${at}-${version}`);

const report = (name: string, count: number): ImageReport => ({
  name,
  diff: diffImages(side('before', numbered(count, '1')), side('after', numbered(count, '2'))),
  notes: [],
  isBroken: false,
});

const FILES = ['flake.lock'];
const LIMIT = 65_536;
const APP = { isJobToken: false, runUrl: undefined };

test('the title names what was written', () => {
  expect(updateTitle({ changes: changesOf('nixpkgs') })).toBe('Update nixpkgs');
  expect(updateTitle({ changes: changesOf('a', 'b') })).toBe('Update a and b');
  expect(updateTitle({ changes: changesOf('a', 'b', 'c') })).toBe('Update a and 2 more inputs');
});

test('the message of the commit ends with the line by which an update knows its own', () => {
  const { headline, body } = updateMessage({ changes: changesOf('nixpkgs', 'x'.repeat(200)) });
  expect(headline.length).toBeLessThanOrEqual(72);
  expect(body.split('\n').at(-1)).toBe(OWN_TRAILER);
});

test('the text has the inputs, then each image, and says how checks start', () => {
  const input = { files: FILES, changes: changesOf('nixpkgs'), images: [report('app', 2), report('web', 1)] };
  const text = updateBody(input, APP);
  expect(text).toMatch(/nixpkgs[\s\S]*What changed in each image[\s\S]*### app[\s\S]*2 upgraded[\s\S]*### web/);
  expect(text).not.toContain('approves');
  expect(updateBody(input, { ...APP, isJobToken: true })).toMatch(
    /until somebody with write access approves[\s\S]*branch protection/,
  );
});

test('an image that could not be compared says why', () => {
  const images = [{ name: 'app', diff: null, notes: ['aarch64-linux: cannot be built here'], isBroken: false }];
  expect(updateBody({ files: FILES, changes: changesOf('a'), images }, APP)).toMatch(
    /### app[\s\S]*cannot be built here/,
  );
});

test.each([
  ['many packages', [report('app', 3000)]],
  ['many images', Array.from({ length: 400 }, (_, at) => report(`app-${at}`, 30))],
])('%s stay below what GitHub takes, in whole tables', (_name, images) => {
  const text = updateBody({ files: FILES, changes: changesOf('nixpkgs'), images }, { ...APP, runUrl: 'https://run' });
  expect(text.length).toBeLessThan(LIMIT);
  expect(text).toContain('### app');
  expect(text).toMatch(/\d+ more/);
  const count = (word: RegExp) => text.match(word)?.length;
  expect(count(/<details>/g)).toBe(count(/<\/details>/g));
  if (images.length > 1) expect(text).toMatch(/\d+ more images changed\. The \[run\]\(https:\/\/run\) has all of it\./);
});

test('a lock of very many inputs stays below it too', () => {
  const changes = changesOf(...Array.from({ length: 2000 }, (_, at) => `input-${at}`));
  expect(updateBody({ files: FILES, changes, images: [report('app', 1)] }, APP).length).toBeLessThan(LIMIT);
});
