import { expect, test } from 'vitest';
import type { PlannedImage, PlannedJob } from '../../../src/plan/plan.ts';
import { changedImages } from '../../../src/update/changed-images.ts';
import { dueReasons, parseAdvisories } from '../../../src/update/due.ts';
import { foreignCommits, OWN_TRAILER } from '../../../src/update/own-commits.ts';
import { storePath } from '../diff/contents-kit.ts';

type Keys = Partial<Record<PlannedJob['system'], string>>;

const image = (name: string, keys: Keys, more: Partial<PlannedImage> = {}): PlannedImage => ({
  name,
  tag: null,
  why: 'a test',
  source: { flake: '.', file: null },
  jobs: Object.entries(keys).map(
    ([system, key]): PlannedJob => ({
      system: system as PlannedJob['system'],
      buildSystem: null,
      kind: 'definition',
      attr: name,
      key,
      published: null,
    }),
  ),
  missing: [],
  ...more,
});

const X86 = 'x86_64-linux';
const ARM = 'aarch64-linux';

test('an image is changed for the systems whose key is another one', () => {
  const before = [image('a', { [X86]: '1', [ARM]: '2' }), image('b', { [X86]: '3' })];
  const after = [image('a', { [X86]: '1', [ARM]: '4' }), image('b', { [X86]: '3' })];
  expect(changedImages(before, after).map(({ name, systems }) => [name, systems])).toEqual([['a', [ARM]]]);
  expect(changedImages(before, before)).toEqual([]);
});

test('images that come and go are changed, and so is one that loses a system, with the reason', () => {
  const before = [image('gone', { [X86]: '1' }), image('less', { [X86]: '1', [ARM]: '2' })];
  const missing = [{ system: ARM, why: 'less: it is broken' }] as const;
  const after = [image('less', { [X86]: '1' }, { missing: [...missing] }), image('new', { [X86]: '1' })];
  expect(changedImages(before, after).map(({ name, systems, broken }) => [name, systems, broken])).toEqual([
    ['gone', [X86], []],
    ['less', [ARM], ['less: it is broken']],
    ['new', [X86], []],
  ]);
});

const commit = { sha: 'a', author: 'app[bot]', committer: 'web-flow', message: `Update\n\n${OWN_TRAILER}` };

test.each([
  ['its own', commit, 0],
  ['its own, committed by itself', { ...commit, committer: 'app[bot]' }, 0],
  ['another author', { ...commit, author: 'human' }, 1],
  ['another committer, who amended it', { ...commit, committer: 'human' }, 1],
  ['an author whom GitHub does not know', { ...commit, author: null }, 1],
  ['a committer whom GitHub does not know', { ...commit, committer: null }, 1],
  ['the same person with another message', { ...commit, message: 'Fix the build' }, 1],
  ['a message that only speaks of the line', { ...commit, message: `no ${OWN_TRAILER}` }, 1],
])('a commit of %s', (_name, one, foreign) => {
  expect(foreignCommits([commit, one], 'app[bot]').length).toBe(foreign);
});

const NOW = Date.parse('2026-03-01T00:00:00Z');
const DAY = 24 * 3600 * 1000;
const state = (days: number | null, names: readonly string[] = []) => ({
  name: 'app',
  created: days === null ? null : NOW - days * DAY,
  paths: names.map((name) => storePath(name)),
});

test.each([
  ['young', 6.9, 7, []],
  ['old enough to the day', 7, 7, ['app was made 7 days ago']],
  ['of a time in the future', -1, 7, []],
  ['of unknown age', null, 7, []],
  ['old, without a limit', 700, undefined, []],
])('an image that is %s', (_name, days, maxAge, reasons) => {
  expect(dueReasons([state(days)], { maxAge, advisories: [], now: NOW })).toEqual(reasons);
});

test('an advisory counts for the very version', () => {
  const text = JSON.stringify([
    { pname: 'openssl', version: '3.0.15', affected_by: ['CVE-2026-1', 'CVE-2026-2'], cvssv3_basescore: {} },
  ]);
  const advisories = parseAdvisories(text, 'advisories.json');
  const reasons = (...names: string[]) => dueReasons([state(0, names)], { maxAge: undefined, advisories, now: NOW });
  expect(reasons('openssl-3.0.15-bin', 'bash-5')).toEqual(['app has openssl 3.0.15 (CVE-2026-1, CVE-2026-2)']);
  expect(reasons('openssl-3.0.16', 'openssl-3.0.1', 'my-openssl-3.0.15')).toEqual([]);
});

test.each([
  '',
  '{}',
  '[{"pname":"x"}]',
  '[{"pname":"x","version":"1","affected_by":[]}]',
])('%j is no list of advisories', (text) => {
  expect(() => parseAdvisories(text, 'advisories.json')).toThrow('advisories.json');
});
