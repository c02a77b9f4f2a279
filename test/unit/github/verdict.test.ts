import { expect, test } from 'vitest';
import { noCacheService } from '../../../src/github/cache/cache-service.ts';
import { readClientLog } from '../../../src/github/cache/client-log.ts';
import { restoreVerdict, saveVerdict } from '../../../src/github/cache/verdict.ts';

// integration/github/cache has what the real client says; here is what cannot be brought about there.

const said = (stdout: string, report: object = { id: -1 }, stderr = '') => ({
  report,
  log: readClientLog(stdout),
  stderr,
});

test("the client's commands are read, and undone as the runner undoes them", () => {
  const { lines, secrets } = readClientLog(
    'plain\n::warning::50%25 of%0Ait\n::add-mask::sig\n::error file=x::bad\n::debug::d\n::group::no',
  );
  expect(secrets).toEqual(['sig']);
  expect(lines).toEqual([
    { level: 'info', text: 'plain' },
    { level: 'warning', text: '50% of\nit' },
    { level: 'error', text: 'bad' },
    { level: 'debug', text: 'd' },
    { level: 'info', text: '::group::no' },
  ]);
});

test.each([
  ['::warning::Failed to restore: ENOSPC: no space left on device, write', 'full'],
  ['::warning::Failed to save: Cache already exists. Scope: refs/heads/main, Key: a, Version: b', 'taken'],
  ['::warning::Cache reservation failed: something new', 'failed'],
  ['', 'failed'],
])('%s is %s', (line, kind) => {
  expect(saveVerdict(said(line)).kind).toBe(kind);
});

test('an id does not count where the log says that the upload failed (version 1 of the service)', () => {
  expect(saveVerdict(said('', { id: 5 })).kind).toBe('done');
  expect(saveVerdict(said('::warning::Failed to save: commitCache failed', { id: 5 })).kind).toBe('failed');
});

test('tries that the client repeated decide nothing', () => {
  const tries = 'Attempt 1 of 5 failed with error: Failed request: (429) x. Retrying request in 3000 ms...';
  expect(restoreVerdict(said(tries, {}), () => true)).toEqual({ kind: 'missing' });
  expect(restoreVerdict(said(tries, { found: 'k' }), (key) => key === 'k')).toEqual({ kind: 'done' });
});

test('what the client throws is the reason where nothing else is', () => {
  expect(restoreVerdict(said('', { thrown: 'Path Validation Error' }), () => true)).toEqual({
    ...{ kind: 'failed', why: 'Path Validation Error', isDown: false },
  });
});

test.each([
  [{}, 'this is no job of GitHub Actions'],
  [{ GITHUB_ACTIONS: 'true' }, /ACTIONS_RUNTIME_TOKEN is not set/],
  [{ GITHUB_ACTIONS: 'true', ACTIONS_RUNTIME_TOKEN: 't' }, /no cache service/],
  [
    { GITHUB_ACTIONS: 'true', ACTIONS_RUNTIME_TOKEN: 't', ACTIONS_CACHE_SERVICE_V2: '1' },
    /ACTIONS_RESULTS_URL is not set/,
  ],
])('without a service it says why: %j', (env: Record<string, string>, reason) => {
  expect(noCacheService((name) => env[name])).toMatch(reason);
});

test.each([
  { ACTIONS_CACHE_SERVICE_V2: '1', ACTIONS_RESULTS_URL: 'u' },
  { ACTIONS_CACHE_SERVICE_V2: '1', ACTIONS_RESULTS_URL: 'u', GITHUB_SERVER_URL: 'https://acme.ghe.com' },
  { ACTIONS_CACHE_URL: 'u', GITHUB_SERVER_URL: 'https://ghe.example.com' },
])('there is a service: %j', (env: Record<string, string>) => {
  const all: Record<string, string> = { GITHUB_ACTIONS: 'true', ACTIONS_RUNTIME_TOKEN: 't', ...env };
  expect(noCacheService((name) => all[name])).toBeUndefined();
});
