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
  ['what follows a run of the repository', { workflow_run: { head_repository: { full_name: 'org/app' } } }, false],
  ["what follows a run of a fork's branch", { workflow_run: { head_repository: { full_name: 'stranger/app' } } }, true],
  ['what follows a run of a fork that was deleted', { workflow_run: { head_repository: null } }, true],
])('%s', async (_name, event, isFork) => {
  expect(await read(event)).toMatchObject({ runId: '7', attempt: 2, job: 'build', isFork });
});

test.each([
  ['no JSON', '{'],
  ['a pull request without head', { pull_request: {} }],
])('refuses a payload that is %s', async (_name, event) => {
  await expect(read(event)).rejects.toThrow(/^the event.s payload in \/event.json is not (JSON|valid)/);
});

test.each([
  ['pull_request', 'pull_request'],
  ['pull_request_target', 'pull_request'],
  ['workflow_run', 'workflow_run'],
])('refuses the event %s without %s in its payload', async (event, field) => {
  const reading = read({ ref: 'refs/heads/main' }, { GITHUB_EVENT_NAME: event });
  await expect(reading).rejects.toThrow(`the payload of the event ${event} has no ${field}`);
  await expect(read({}, { GITHUB_EVENT_NAME: event, GITHUB_EVENT_PATH: '' })).rejects.toThrow(`has no ${field}`);
});

test('refuses to be anywhere but on a runner', async () => {
  await expect(read({}, { GITHUB_RUN_ID: '' })).rejects.toThrow('GITHUB_RUN_ID is not set');
});

test.each([
  ['dependabot[bot]', 'pull_request', true],
  ['dependabot[bot]', 'push', true],
  ['dependabot[bot]', 'workflow_dispatch', false],
  ['octocat', 'pull_request', false],
])('%s and %s: Dependabot is %s', async (actor, event, isDependabot) => {
  const payload = { pull_request: { head: { repo: { full_name: 'org/app' } } } };
  expect(await read(payload, { GITHUB_ACTOR: actor, GITHUB_EVENT_NAME: event })).toMatchObject({ isDependabot });
});
