import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/github/event.ts';
import { isTag } from '../../../src/oci/reference.ts';
import { tagsOf } from '../../../src/publish/run-tags.ts';
import { parseTagLine } from '../../../src/publish/tag-lines.ts';

const COMMIT = '860c1904a1ce19322e91ac35af1ab07466440c37';
const NOW = new Date('2026-03-26T04:05:06Z');

const event = (ref: string, more: Partial<RunEvent> = {}): RunEvent => ({
  name: 'push',
  ref,
  commit: COMMIT,
  base: undefined,
  headCommit: undefined,
  defaultBranch: 'main',
  ...more,
});

const MAIN = event('refs/heads/main');
const BRANCH = event('refs/heads/fix/the thing#7');
const RELEASE = event('refs/tags/v1.2.3');
const BETA = event('refs/tags/v2.0.8-beta.67');
const REQUEST = event('refs/pull/7/merge', { name: 'pull_request', base: 'main' });
const HEAD = '1234567890abcdef1234567890abcdef12345678';
const TRUSTED = event('refs/pull/7/merge', { name: 'pull_request_target', base: 'main', headCommit: HEAD });
const QUEUE = event('refs/heads/gh-readonly-queue/main/pr-7-860c190', { name: 'merge_group' });
const MONOREPO = event('refs/tags/app/v1.2.3');
const NIGHT = event('refs/heads/main', { name: 'schedule' });

const tags = (lines: string, of: RunEvent | undefined, image?: string): readonly string[] =>
  tagsOf(lines.split('\n').map(parseTagLine), { event: of, now: NOW, image }).tags;

describe('a rule gives', () => {
  test.each<[string, RunEvent | undefined, string[]]>([
    ['v1', MAIN, ['v1']],
    // What needs no event is followed on a person's machine as well.
    ['type=raw,value=v1', undefined, ['v1']],
    ['type=semver,pattern={{major}}.{{minor}},value=v1.2.3', undefined, ['1.2', 'latest']],
    ['type=match,pattern=\\d+,value=r42', undefined, ['42', 'latest']],
    ["type=raw,value=nightly-{{date 'YYYYMMDD'}}", undefined, ['nightly-20260326']],
    ['v1\nlatest=true\nprefix=p-,onlatest=true', undefined, ['v1', 'p-latest']],
    ['type=ref,event=branch', MAIN, ['main']],
    ['type=ref,event=branch', BRANCH, ['fix-the-thing-7']],
    ['type=ref,event=branch', RELEASE, []],
    ['type=ref,event=branch', REQUEST, []],
    ['type=ref,event=branch', NIGHT, ['main']],
    ['type=ref,event=branch,prefix=b-,suffix=-x', MAIN, ['b-main-x']],
    ['type=ref,event=tag', RELEASE, ['v1.2.3', 'latest']],
    ['type=ref,event=tag', MAIN, []],
    ['type=ref,event=pr', REQUEST, ['pr-7']],
    ['type=ref,event=pr,prefix=', REQUEST, ['7']],
    ['type=ref,event=pr', MAIN, []],
    ['type=semver,pattern={{version}}', RELEASE, ['1.2.3', 'latest']],
    ['type=semver,pattern={{raw}}', RELEASE, ['v1.2.3', 'latest']],
    ['type=semver,pattern={{major}}.{{minor}}', RELEASE, ['1.2', 'latest']],
    ['type=semver,pattern=v{{major}}', RELEASE, ['v1', 'latest']],
    ['type=semver,pattern={{version}}', BETA, ['2.0.8-beta.67']],
    ['type=semver,pattern={{raw}}', BETA, ['v2.0.8-beta.67']],
    ['type=semver,pattern={{major}}.{{minor}}', BETA, ['2.0.8-beta.67']],
    ['type=semver,pattern={{version}}', MAIN, []],
    ['type=semver,pattern={{version}}', event('refs/tags/nightly'), []],
    ['type=semver,pattern={{version}}', event('refs/tags/v1.2'), []],
    ['type=semver,pattern={{version}}', event('refs/tags/1.2.3+linux.5'), ['1.2.3', 'latest']],
    ['type=semver,pattern={{major}},value=v3.4.5', MAIN, ['3', 'latest']],
    ['type=sha', MAIN, ['sha-860c190']],
    ['type=sha,format=long', MAIN, [`sha-${COMMIT}`]],
    ['type=sha,prefix=,suffix=-{{branch}}', MAIN, ['860c190-main']],
    ['type=schedule', NIGHT, ['nightly']],
    ["type=schedule,pattern={{date 'YYYYMMDD'}}", NIGHT, ['20260326']],
    ["type=schedule,pattern={{date 'YYYY-MM-DD, HH:mm:ss'}}", NIGHT, ['2026-03-26-04-05-06']],
    ['type=schedule', MAIN, []],
    ['type=raw,value=latest,enable={{is_default_branch}}', MAIN, ['latest']],
    ['type=raw,value=latest,enable={{is_default_branch}}', BRANCH, []],
    ['type=raw,value=latest,enable=false', MAIN, []],
    ['type=raw,value={{base_ref}}-{{sha}}', REQUEST, ['main-860c190']],
    ["type=raw, value=v-{{tag}}-{{date 'DD'}}", RELEASE, ['v-v1.2.3-26']],
    ['type=semver,pattern={{version}}\nlatest=false', RELEASE, ['1.2.3']],
    ['type=ref,event=branch\nlatest=true', MAIN, ['main', 'latest']],
    ['type=ref,event=tag\nlatest=true', MAIN, []],
    ['type=raw,value=main\nmain\ntype=ref,event=branch', MAIN, ['main']],
    ['type=ref,event=branch\ntype=raw,value=latest,enable={{is_default_branch}}', TRUSTED, []],
    ['type=ref,event=pr', TRUSTED, ['pr-7']],
    ['type=ref,event=branch\ntype=raw,value=latest,enable={{is_default_branch}}', QUEUE, []],
    ['type=raw,value=x,enable={{is_not_default_branch}}', BRANCH, ['x']],
    ['type=sha', TRUSTED, ['sha-860c190']],
    ['type=sha,head=true', TRUSTED, ['sha-1234567']],
    ['type=sha,head=true', MAIN, ['sha-860c190']],
    ['type=raw,value={{branch}}-{{sha}}', RELEASE, []],
    ['type=sha,suffix=-{{branch}}', REQUEST, []],
    ['type=ref,event=branch,reserved=skip', event('refs/heads/latest'), []],
    ['type=ref,event=branch,reserved=skip', event('refs/heads/1.2.3'), []],
    ['type=ref,event=branch,reserved=skip', event('refs/heads/v2'), []],
    ['type=ref,event=branch,reserved=skip', event('refs/heads/pr-7'), []],
    ['type=ref,event=branch,reserved=skip', event('refs/heads/pr-seven'), ['pr-seven']],
    ['type=ref,event=branch', event('refs/heads/latest'), ['latest']],
    ['type=match,pattern=v(.*),group=1', RELEASE, ['1.2.3', 'latest']],
    ['type=match,pattern=/V(\\d+)/i,group=1', RELEASE, ['1', 'latest']],
    ['type=match,pattern=x(.*),group=1', RELEASE, []],
    ['type=match,pattern=\\d.\\d', MAIN, []],
    ['type=edge', MAIN, ['edge']],
    ['type=edge', BRANCH, []],
    ['type=edge,branch=fix/the thing#7', BRANCH, ['edge']],
    ['type=raw,value=a,priority=3', MAIN, ['a']],
    ['type=ref,event=branch\nprefix=p-\nsuffix=-alpine', MAIN, ['p-main-alpine']],
    ['type=sha\ntype=ref,event=pr\nprefix=p-', REQUEST, ['sha-860c190', 'pr-7']],
    ['type=ref,event=branch,suffix=\nsuffix=-alpine', MAIN, ['main']],
    ['type=semver,pattern={{version}}\nsuffix=-alpine', RELEASE, ['1.2.3-alpine', 'latest']],
    ['type=semver,pattern={{version}}\nsuffix=-alpine,onlatest=true', RELEASE, ['1.2.3-alpine', 'latest-alpine']],
    ['v1\nsuffix=-alpine', MAIN, ['v1']],
    ['type=semver,pattern={{version}},tag-prefix=app/', MONOREPO, ['1.2.3', 'latest']],
    ['type=semver,pattern={{version}},tag-prefix=web/', MONOREPO, []],
    ['type=semver,pattern={{version}}', MONOREPO, []],
    // The branch's name alone is no reason to fail: other rules apply.
    ['type=ref,event=branch\ntype=sha', event('refs/heads/版'), ['sha-860c190']],
    ['type=ref,event=branch\ntype=sha', event(`refs/heads/${'x'.repeat(140)}`), ['sha-860c190']],
    ['type=ref,event=branch', event('refs/heads/x{{sha}}'), ['x-sha-']],
  ])('%s of %o: %j', (line, of, expected) => {
    expect(tags(line, of)).toEqual(expected);
  });
});

describe('a line is refused', () => {
  test.each([
    ['type=pep440,pattern=x', 'type pep440', 'type=match'],
    ['type=semvar,pattern=x', 'type semvar', 'Did you mean semver?'],
    ['event=branch', 'no type', 'type='],
    ['type=ref', 'no event', ',event=branch|tag|pr'],
    ['type=ref,event=push', 'event=push', 'event is one of: branch, tag, pr.'],
    ['type=sha,format=medium', 'format=medium', 'short, long'],
    ['type=semver', 'no pattern', ',pattern='],
    ['type=raw,value=', 'no value', ',value='],
    ['type=raw,value=a,order=3', 'the key order', 'type=raw has: value, enable, prefix, suffix, priority.'],
    ['prefix=a,suffix=b', 'no type', 'each alone'],
    ['suffix=b,onlatest=maybe', 'onlatest=maybe', 'true, false'],
    ['type=raw,value=a,value=b', 'value twice', 'Leave one'],
    ['type=raw,a', 'the part a', 'key=value'],
    ['latest=maybe', 'latest=maybe', 'auto, true, false'],
    ['a tag', 'is not a valid tag', '128'],
  ])('%s: %s', (line, message, hint) => {
    expect(() => parseTagLine(line)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message), hint: expect.stringContaining(hint) }),
    );
  });
});

describe('a rule cannot be followed', () => {
  test.each<[string, RunEvent | undefined, string]>([
    ['type=sha', undefined, 'type=sha needs the event of a workflow run'],
    ['type=semver,pattern={{version}}', undefined, 'needs the event of a workflow run'],
    ['type=raw,value={{branch}}', undefined, 'needs the event of a workflow run'],
    ['type=raw,value=x,enable={{is_default_branch}}', undefined, 'needs the event of a workflow run'],
    ['latest=true', MAIN, 'tags: latest=true only changes other lines'],
    ['prefix=a-\nlatest=false', undefined, 'tags: prefix=a-, latest=false only changes other lines'],
    [
      'type=raw,value=x,enable={{is_default_branch}}',
      event('refs/heads/main', { defaultBranch: undefined }),
      'repository.default_branch',
    ],
    ['type=raw,value=x,enable=yes', MAIN, 'enable=yes'],
    ['type=semver,pattern={{mayor}}', RELEASE, '{{mayor}}'],
    ['type=semver,pattern={{major', RELEASE, '{{major'],
    ["type=schedule,pattern={{date 'ddd'}}", NIGHT, "date format 'ddd'"],
    ['type=schedule,pattern={{date}}', NIGHT, 'date format (none)'],
    ['type=match,pattern=(', RELEASE, 'not a valid regular expression'],
    ['type=ref,event=branch', event('refs/heads/版'), 'is not a valid tag'],
    ['type=ref,event=branch', event(`refs/heads/${'x'.repeat(129)}`), 'is not a valid tag'],
  ])('%s', (line, of, message) => {
    expect(() => tags(line, of)).toThrow(message);
  });
});

test('whatever a branch is called, its tag is legal or refused', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (name) => {
      const all = ((): readonly string[] => {
        try {
          return tags('type=ref,event=branch,prefix=b', event(`refs/heads/${name}`));
        } catch (error) {
          expect(error).toMatchObject({ code: 'reference' });
          return [];
        }
      })();
      expect(all.every(isTag)).toBe(true);
    }),
  );
});

test('a rule may ask for the image, whose version is what follows its name in the git tag', () => {
  const rule = 'type=semver,pattern={{version}},tag-prefix={{name}}/';
  expect(tags(rule, MONOREPO, 'app')).toEqual(['1.2.3', 'latest']);
  expect(tags(rule, MONOREPO, 'team/app')).toEqual(['1.2.3', 'latest']);
  expect(tags(rule, MONOREPO, 'web')).toEqual([]);
  expect(tags(rule, MONOREPO)).toEqual([]);
});

test('what is skipped is told by rule', () => {
  const lines = ['type=ref,event=branch', 'type=sha'].map(parseTagLine);
  expect(tagsOf(lines, { event: event('refs/heads/版'), now: NOW }).skipped).toEqual([
    { rule: 'type=ref,event=branch', tag: '-' },
  ]);
});
