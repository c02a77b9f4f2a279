import { expect, onTestFinished, test } from 'vitest';
import { pullRequests } from '../../../src/github/rest/pull-requests.ts';
import { markerLine } from '../../../src/preview/marker.ts';
import { putSticky } from '../../../src/preview/sticky.ts';
import { commentRoutes, type StoredComment } from '../../emulators/github/comments.ts';
import { type GitHubOptions, startGitHub } from '../../emulators/github/emulator.ts';
import { type Pull, pullRoutes } from '../../emulators/github/pulls.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { plainFetch } from './cache/kit.ts';

const BOT = 'github-actions[bot]';
const PULLS: readonly Pull[] = [
  { number: 7, state: 'open', head: 'b'.repeat(40) },
  { number: 8, state: 'closed' },
];

const scene = async (
  comments: StoredComment[] = [],
  { login, ...options }: Partial<GitHubOptions> & { readonly login?: string } = {},
) => {
  const routes = [...pullRoutes(PULLS), ...commentRoutes({ pulls: PULLS, comments, ...(login && { login }) })];
  const github = await startGitHub({ routes, permissions: { 'pull-requests': 'write' }, ...options });
  onTestFinished(() => github.stop());
  const { signal } = new AbortController();
  const { url, token } = github;
  const deps = { url, token, repository: 'org/app', fetch: plainFetch, log: memoryLog(), signal, second: 10 };
  return { github, comments, pulls: pullRequests(deps) };
};

const put = (pulls: ReturnType<typeof pullRequests>, number: number, run: string) =>
  putSticky(
    pulls.comments(number),
    { marker: { key: 'k', run, attempt: 1, state: 'there', images: [] }, text: `text of ${run}`, author: BOT },
    { sleep: async () => {} },
  );

const stored = (id: number, body = 'words', login = 'somebody'): StoredComment => ({ id, pull: 7, login, body });

test('says whether a pull request is open, and its newest commit', async () => {
  const { pulls } = await scene();
  expect(await pulls.read(7)).toEqual({ isOpen: true, headCommit: 'b'.repeat(40) });
  expect(await pulls.read(8)).toMatchObject({ isOpen: false });
});

test('an unknown pull request is named', async () => {
  const { pulls } = await scene();
  await expect(pulls.read(99)).rejects.toMatchObject({ code: 'input', message: 'org/app has no pull request 99' });
  await expect(put(pulls, 99, '77')).rejects.toMatchObject({ code: 'input' });
});

test('the comment is found behind two hundred others, and updated in place', async () => {
  const own = stored(4000, `${markerLine({ key: 'k', run: '70', attempt: 1, state: 'there', images: [] })}\nold`, BOT);
  const { comments, pulls, github } = await scene([...Array.from({ length: 220 }, (_, at) => stored(at + 1)), own]);
  expect(await put(pulls, 7, '77')).toMatchObject({ kind: 'updated', id: 4000 });
  expect(comments).toHaveLength(221);
  expect(comments.at(-1)?.body).toContain('text of 77');
  expect(github.requests.filter((line) => line.startsWith('POST'))).toEqual([]);
});

test('an update that was done although the service said otherwise is not done twice', async () => {
  const fault = { method: 'POST', path: /comments$/, when: 'after', status: 502 } as const;
  const { comments, pulls } = await scene([], { faults: [fault] });
  // GitHub has no way to say "once": a second one is folded into the first.
  await put(pulls, 7, '77');
  expect(comments.map(({ body }) => body.split('\n')[1])).toEqual(['text of 77']);
});

test.each([
  [{}, 'list the comments on', 'read'],
  [{ 'pull-requests': 'read' }, 'comment on', 'write'],
] as const)('a token with the permissions %j is told the line to add', async (permissions, what, level) => {
  const { pulls } = await scene([], { permissions });
  await expect(put(pulls, 7, '77')).rejects.toMatchObject({
    code: 'credentials',
    message: `cannot ${what} pull request 7 of org/app: 403 Resource not accessible by integration`,
    hint: expect.stringContaining(`permissions: { pull-requests: ${level} }`),
  });
});

test("an App's token writes under the App's name", async () => {
  const { comments, pulls } = await scene([], { login: 'acme-images[bot]' });
  expect(await put(pulls, 7, '77')).toMatchObject({ kind: 'created', author: 'acme-images[bot]' });
  expect(comments.map(({ login }) => login)).toEqual(['acme-images[bot]']);
});

test('a comment that is too long is refused by GitHub, in its own words', async () => {
  const { pulls } = await scene();
  await expect(pulls.comments(7).create('x'.repeat(65_537))).rejects.toThrow('Body is too long');
});
