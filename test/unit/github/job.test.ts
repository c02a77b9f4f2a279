import { expect, test } from 'vitest';
import { readJob } from '../../../src/github/job.ts';

const read = (event: unknown, env: Record<string, string> = {}) => {
  const all: Record<string, string> = {
    GITHUB_RUN_ID: '7',
    GITHUB_RUN_ATTEMPT: '2',
    GITHUB_JOB: 'build',
    GITHUB_REPOSITORY: 'org/app',
    GITHUB_EVENT_PATH: '/event.json',
    ...env,
  };
  return readJob({
    env: (name) => all[name] || undefined,
    readFile: async () => (typeof event === 'string' ? event : JSON.stringify(event)),
  });
};

test.each([
  ['a push', { ref: 'refs/heads/main' }, false],
  ['a pull request of the repository', { pull_request: { head: { repo: { full_name: 'org/app' } } } }, false],
  ["a fork's pull request", { pull_request: { head: { repo: { full_name: 'stranger/app' } } } }, true],
  ['a pull request whose fork was deleted', { pull_request: { head: { repo: null } } }, true],
])('%s', async (_name, event, isFork) => {
  expect(await read(event)).toMatchObject({ runId: '7', attempt: 2, job: 'build', isFork });
});

test.each([
  ['no JSON', '{'],
  ['a pull request without head', { pull_request: {} }],
])('refuses a payload that is %s', async (_name, event) => {
  await expect(read(event)).rejects.toThrow("the event's payload in /event.json cannot be read");
});

test('refuses to be anywhere but on a runner', async () => {
  await expect(read({}, { GITHUB_RUN_ID: '' })).rejects.toThrow('GITHUB_RUN_ID is not set');
});
