import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { refsOfClosedPulls } from '../../../src/commands/github-cache.ts';
import { deadRefs } from '../../../src/github/rest/dead-refs.ts';
import type { GitHubEmulator, GitHubOptions } from '../../emulators/github/emulator.ts';
import { type Pull, pullRoutes } from '../../emulators/github/pulls.ts';
import type { ResultsEmulator } from '../../emulators/results/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { openGitHub, openResults, plainFetch, restOf } from './cache/kit.ts';

const MAIN = 'refs/heads/main';
const VERSION = 'a'.repeat(64);

/** Puts entries into the cache without a client. */
const fill = (results: ResultsEmulator, keys: readonly string[], ref = MAIN): number[] =>
  keys.map((key) => {
    const entry = results.caches.reserve(ref, key, VERSION);
    if (!entry) throw new Error(`${key} is there already`);
    results.caches.finalize(entry, 1000);
    return entry.id;
  });

const scene = async (options: Partial<GitHubOptions> = {}, more: { patience?: number } = {}) => {
  const results = await openResults();
  const github = await openGitHub(results, { permissions: { actions: 'write' }, ...options });
  const log = memoryLog();
  return { results, github, log, rest: restOf(github, log, more) };
};

const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => `entry-${at}`);

/** What was asked of the emulator, without queries. */
const asked = ({ requests }: GitHubEmulator): string[] =>
  requests.map((line) => line.replace(/\?\S*/, '').replace('/repos/org/app', ''));

test('lists the entries of all refs, from all pages', async () => {
  const { results, github, rest } = await scene();
  fill(results, numbered(150));
  fill(results, numbered(101), 'refs/pull/7/merge');
  const entries = await rest.list();
  expect(entries?.length).toBe(251);
  expect(new Set(entries?.map(({ ref }) => ref))).toEqual(new Set([MAIN, 'refs/pull/7/merge']));
  expect(entries?.[0]).toMatchObject({ bytes: 1000, key: 'entry-0' });
  expect(asked(github)).toEqual(Array(3).fill('GET /actions/caches 200'));
});

test('deletes by id, so that the same key of another ref stays', async () => {
  const { results, rest } = await scene();
  const [here] = fill(results, ['x']);
  fill(results, ['x'], 'refs/heads/other');
  expect(await rest.remove(String(here))).toEqual({ kind: 'removed' });
  expect(results.caches.all().map(({ ref }) => ref)).toEqual(['refs/heads/other']);
  expect(await rest.remove(String(here))).toEqual({ kind: 'gone' });
});

test('a job that may not delete is told the line to add', async () => {
  const { results, rest } = await scene({ permissions: { actions: 'read' } });
  const [id] = fill(results, ['x']);
  const why = 'the job needs `permissions: actions: write`';
  expect(await rest.remove(String(id))).toEqual({ kind: 'denied', why });
  expect(results.caches.all().length).toBe(1);
});

test('a job that may not list goes on, and the log says the line to add', async () => {
  const { log, rest } = await scene({ permissions: {} });
  expect(await rest.list()).toBeUndefined();
  expect(log.lines).toEqual(['cannot list the caches of org/app: the job needs `permissions: actions: read`']);
});

test("in a public repository everybody may list, but a job's token may not read limits: GitHub's defaults count", async () => {
  const { rest } = await scene({ permissions: {}, isPublic: true });
  expect(await rest.list()).toEqual([]);
  expect(await rest.limits()).toEqual({ bytes: 10e9, idleDays: 7 });
});

test("a repository's own limits count where the token may read them", async () => {
  const results = await openResults({ caches: { limitBytes: 50e9, idleDays: 30 } });
  const github = await openGitHub(results, { permissions: { administration: 'read' } });
  expect(await restOf(github, memoryLog()).limits()).toEqual({ bytes: 50e9, idleDays: 30 });
});

test('an error of the service is tried again; one that had deleted the entry all the same ends as gone', async () => {
  const path = /caches\/\d+$/;
  const { results, github, rest } = await scene({ faults: [{ method: 'DELETE', path, when: 'after', status: 500 }] });
  const [id] = fill(results, ['x']);
  expect(await rest.remove(String(id))).toEqual({ kind: 'gone' });
  expect(asked(github)).toEqual([`DELETE /actions/caches/${id} 500`, `DELETE /actions/caches/${id} 404`]);
});

test('broken connections and answers 502 are tried again, up to three times', async () => {
  const at = { method: 'GET', path: /caches$/, when: 'before' } as const;
  const { github, rest } = await scene({
    faults: [
      { ...at, status: 0 },
      { ...at, status: 502, times: 2 },
    ],
  });
  expect(await rest.list()).toEqual([]);
  expect(asked(github).map((line) => line.split(' ').at(-1))).toEqual(['0', '502', '502', '200']);
  const { log, rest: down } = await scene({ faults: [{ ...at, status: 500, times: 9 }] });
  expect(await down.list()).toBeUndefined();
  expect(log.lines.at(-1)).toBe('cannot list the caches of org/app: 500 Server Error');
});

for (const status of [403, 429] as const) {
  test(`a secondary limit (${status}) is waited for as it says, and not for longer than the patience`, async () => {
    const limits = { pointsAMinute: 1, retryAfter: 3, secondaryStatus: status };
    const { log, rest, github } = await scene({ limits, now: minutes() });
    await rest.list();
    expect(await rest.list()).toEqual([]);
    expect(asked(github).filter((line) => line.endsWith(String(status))).length).toBe(1);
    expect(log.lines).toContain('GitHub limits requests (too many at once); waiting 3 s');
    const impatient = await scene({ limits: { ...limits, retryAfter: 600 } }, { patience: 30 });
    await impatient.rest.list();
    expect(await impatient.rest.list()).toBeUndefined();
    expect(impatient.log.lines[0]).toBe('GitHub limits requests (too many at once); not waiting 600 s');
  });
}

test('a secondary limit without retry-after is waited for a minute; the hourly one until its reset', async () => {
  const { log, rest } = await scene({ limits: { pointsAMinute: 1 }, now: minutes() });
  await rest.list();
  await rest.list();
  expect(log.lines).toContain('GitHub limits requests (too many at once); waiting 60 s');
  const hourly = await scene({ limits: { anHour: 1 } });
  await hourly.rest.list();
  expect(await hourly.rest.list()).toBeUndefined();
  expect(hourly.log.lines[0]).toMatch(/^GitHub limits requests \(an hour's number of them\); not waiting 3[56]\d\d s$/);
});

test('a repository that was renamed is followed on the same host, and on no other', async () => {
  const { results, github, log, rest } = await scene({ repository: 'org/new', formerName: 'org/app' });
  // The routes of the emulator know the repository by its new name.
  fill(results, ['x']);
  expect((await rest.list())?.length).toBe(1);
  expect(github.requests[0]).toMatch(/^GET \/repos\/org\/app\/.* 301$/);
  const elsewhere = { status: 301, headers: { location: 'http://localhost:9/' } };
  const other = await scene({ faults: [{ method: 'GET', path: /caches$/, when: 'before', ...elsewhere }] });
  expect(await other.rest.list()).toBeUndefined();
  expect(log.lines).toEqual([]);
});

test('GitHub Enterprise Server has its interface below a path', async () => {
  const { github, rest } = await scene({ prefix: '/api/v3' });
  expect(await rest.list()).toEqual([]);
  expect(github.requests[0]).toMatch(/^GET \/api\/v3\/repos\/org\/app\/actions\/caches/);
});

test('answers that are not what GitHub describes are no list', async () => {
  const { github, log } = await scene();
  const answer = async () =>
    new Response('{"total_count":1,"actions_caches":[{}]}', { headers: { 'content-type': 'application/json' } });
  expect(await restOf(github, log, { fetch: answer }).list()).toBeUndefined();
  expect(log.lines.length).toBe(1);
});

test('a job that is cancelled does not wait for a limit', async () => {
  const limits = { pointsAMinute: 0, retryAfter: 60 };
  const { github, log } = await scene({ limits });
  const controller = new AbortController();
  const listing = restOf(github, log, { signal: controller.signal, second: 1000 }).list();
  listing.catch(() => undefined);
  for (let at = 0; at < 200 && log.lines.length === 0; at += 1) await sleep(10);
  expect(log.lines).toEqual(['GitHub limits requests (too many at once); waiting 60 s']);
  controller.abort();
  await expect(listing).rejects.toMatchObject({ code: 'cancelled' });
});

/** A clock by which the second request comes in the minute of the first, and all others in minutes of their own. */
const minutes = (): (() => number) => {
  let count = 0;
  return () => {
    count += 1;
    return (count === 2 ? 1 : count) * 100_000;
  };
};

const pulls: readonly Pull[] = [
  ...Array.from({ length: 120 }, (_, at) => ({ number: 300 - at, state: 'open' }) as const),
  { number: 7, state: 'closed' },
];

test('refs of closed pull requests are dead, those of open ones are not, on whatever page they are', async () => {
  const { github, log } = await scene({ routes: pullRoutes(pulls), permissions: { 'pull-requests': 'read' } });
  const api = { url: github.url, token: github.token, repository: 'org/app', fetch: plainFetch, log, second: 10 };
  const { signal } = new AbortController();
  const refs = [MAIN, 'refs/pull/7/merge', 'refs/pull/181/merge', 'refs/pull/300/merge', 'refs/tags/v1'];
  expect(await deadRefs({ ...api, signal }, refs)).toEqual(new Set(['refs/pull/7/merge']));
  expect(github.requests.length).toBe(2);
});

test('whoever keeps house asks for the refs that the cache has, and without a token for none', async () => {
  const { results, github, log, rest } = await scene({
    ...{ routes: pullRoutes(pulls), permissions: { actions: 'read', 'pull-requests': 'read' } },
  });
  fill(results, ['a', 'b'], 'refs/pull/7/merge');
  fill(results, ['a']);
  fill(results, ['a'], 'refs/pull/300/merge');
  const env: Record<string, string> = { GITHUB_API_URL: github.url, GITHUB_REPOSITORY: 'org/app' };
  const host = { env: (name: string) => env[name], fetch: plainFetch, log, signal: new AbortController().signal };
  expect(await refsOfClosedPulls(host, github.token, rest)).toEqual(new Set(['refs/pull/7/merge']));
  const count = github.requests.length;
  expect(await refsOfClosedPulls(host, undefined, rest)).toEqual(new Set());
  expect(github.requests.length).toBe(count);
});

test('where the open pull requests cannot be listed no ref is dead, and the log says the line to add', async () => {
  const { github, log } = await scene({ routes: pullRoutes(pulls) });
  const api = { url: github.url, token: github.token, repository: 'org/app', fetch: plainFetch, log, second: 10 };
  const { signal } = new AbortController();
  expect(await deadRefs({ ...api, signal }, ['refs/pull/7/merge'])).toEqual(new Set());
  expect(log.lines).toEqual([
    'cannot tell caches of closed pull requests from others: the job needs `permissions: pull-requests: read`',
  ]);
  expect(await deadRefs({ ...api, signal }, [MAIN])).toEqual(new Set());
});
