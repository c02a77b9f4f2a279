import { expect, test } from 'vitest';
import { readEvent } from '../../../src/github/event.ts';

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
  ['no JSON', '{', {}, 'it is not JSON'],
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
