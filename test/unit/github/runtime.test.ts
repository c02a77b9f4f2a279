import { expect, test } from 'vitest';
import { createArtifacts } from '../../../src/github/artifacts.ts';
import { runtimeToken } from '../../../src/github/runtime.ts';
import { memoryLog } from '../../support/memory-log.ts';

const JOB = { GITHUB_ACTIONS: 'true', ACTIONS_RUNTIME_TOKEN: 'token', ACTIONS_RESULTS_URL: 'https://results.test/' };

const env = (variables: Record<string, string>) => (name: string) => variables[name] || undefined;

test.each([
  {},
  { GITHUB_SERVER_URL: 'https://github.com' },
  { GITHUB_SERVER_URL: 'https://acme.ghe.com' },
  { GITHUB_SERVER_URL: 'http://me.localhost:3000' },
])('a job has a token: %j', (more) => {
  expect(runtimeToken(env({ ...JOB, ...more }))).toBe('token');
});

test.each<[string, Record<string, string>, RegExp, RegExp]>([
  ['no job', {}, /only in GitHub Actions/, /--from/],
  ['a script', { GITHUB_ACTIONS: 'true' }, /ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL not set/, /`run:`/],
  ['no address', { ...JOB, ACTIONS_RESULTS_URL: '' }, /: ACTIONS_RESULTS_URL not set/, /`uses:`/],
  ['another server', { ...JOB, GITHUB_SERVER_URL: 'https://git.acme.test' }, /git\.acme\.test has no/, /registry/],
  ['no address of a server', { ...JOB, GITHUB_SERVER_URL: 'acme' }, /acme has no/, /registry/],
])('%s has none, and the error says why', async (_what, variables, message, hint) => {
  const loadClient = () => Promise.reject(new Error('must not be loaded'));
  const tempDir = loadClient;
  const signal = AbortSignal.timeout(60_000);
  const artifacts = createArtifacts({
    loadClient,
    tempDir,
    env: env(variables),
    log: memoryLog(),
    signal,
  });
  await expect(artifacts.list()).rejects.toMatchObject({
    code: 'handover',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});
