import { expect, test } from 'vitest';
import { branchOf, readEvent } from '../../../src/github/event.ts';

const ENV = {
  GITHUB_EVENT_NAME: 'push',
  GITHUB_REF: 'refs/heads/main',
  GITHUB_SHA: 'abc',
  GITHUB_EVENT_PATH: '/event.json',
};

const read = (payload: unknown, change: Record<string, string> = {}) => {
  const env: Record<string, string> = { ...ENV, ...change };
  return readEvent({
    env: (name) => env[name] || undefined,
    readFile: async () => (typeof payload === 'string' ? payload : JSON.stringify(payload)),
  });
};

const repository = { full_name: 'org/app', default_branch: 'trunk' };

test('a push', async () => {
  expect(await read({ repository })).toEqual({
    name: 'push',
    ref: 'refs/heads/main',
    commit: 'abc',
    headCommit: undefined,
    base: undefined,
    defaultBranch: 'trunk',
  });
});

test.each([
  ['a schedule, which runs on the default branch', { GITHUB_EVENT_NAME: 'schedule' }, 'main'],
  ['an event that does not say it', {}, undefined],
  ['no payload at all', { GITHUB_EVENT_PATH: '' }, undefined],
])('the default branch of %s', async (_name, change, expected) => {
  expect((await read({}, change)).defaultBranch).toBe(expected);
});

test.each([
  ['no JSON', '{', {}, 'is not JSON'],
  ['a repository without name', { repository: {} }, {}, 'repository.full_name'],
  ['a branch that is no text', { repository: { ...repository, default_branch: 7 } }, {}, 'repository.default_branch'],
  ['a pull request without head', { pull_request: {} }, {}, 'pull_request.head'],
  ['no ref', {}, { GITHUB_REF: '' }, 'GITHUB_REF is not set'],
])('refuses %s', async (_name, payload, change, message) => {
  await expect(read(payload, change)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining(message),
  });
});

test('what is made for a pull request by pull_request_target is its own, not its base’s', async () => {
  const pull_request = { number: 7, head: { repo: repository, sha: 'def' } };
  const event = await read({ repository, pull_request }, { GITHUB_EVENT_NAME: 'pull_request_target' });
  expect([event.ref, event.commit, event.headCommit]).toEqual(['refs/pull/7/merge', 'abc', 'def']);
  const without = read(
    { repository, pull_request: { head: { repo: repository } } },
    { GITHUB_EVENT_NAME: 'pull_request_target' },
  );
  await expect(without).rejects.toThrow('pull_request.number');
});

test('the branch of a merge queue is none that a tag is made of', () => {
  expect(branchOf('refs/heads/gh-readonly-queue/main/pr-7-abc')).toBeUndefined();
  expect(branchOf('refs/heads/feature/gh-readonly-queue')).toBe('feature/gh-readonly-queue');
});
