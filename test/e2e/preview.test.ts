import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { commentRoutes, type StoredComment } from '../emulators/github/comments.ts';
import { type GitHubEmulator, startGitHub } from '../emulators/github/emulator.ts';
import type { Permissions } from '../emulators/github/permissions.ts';
import { type Pull, pullRoutes } from '../emulators/github/pulls.ts';
import { ROOT } from '../support/root.ts';
import { CONSUMER, jobOf, type WorkflowRun } from './harness/act.ts';
import { consumerFlake } from './harness/consumer.ts';
import { forkPullRequest, pullRequest } from './harness/events.ts';
import { openStage, outcomes, type Stage } from './harness/stage.ts';

// A life is five runs of several jobs, one of them emulated, beside other tests.
vi.setConfig({ testTimeout: 300_000 });

let stage: Stage;
let example: string;

beforeAll(async () => {
  example = await readFile(join(ROOT, 'examples/workflows/preview.yml'), 'utf8');
  stage = await openStage([example]);
});

afterAll(async () => {
  await stage?.remove();
});

const openGitHub = async (pulls: Pull[], permissions: Permissions) => {
  const comments: StoredComment[] = [];
  const routes = [...pullRoutes(pulls), ...commentRoutes({ pulls, comments })];
  const github = await startGitHub({ repository: CONSUMER, routes, permissions });
  onTestFinished(() => github.stop());
  return { github, comments };
};

interface Change {
  readonly run: number;
  readonly event?: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** What the image says of itself. */
  readonly note?: string;
  readonly loggedIn?: boolean;
}

/** One workflow run, which has artifacts of its own. */
const run = async (
  github: GitHubEmulator,
  { run: id, event = 'pull_request', payload, note = '', loggedIn = true }: Change,
): Promise<WorkflowRun> => {
  const stop = await stage.renew();
  try {
    const to = `${stage.host}/preview/`;
    return await stage.run(example.replace(/ghcr\.io\/\S+ \S+ \S+\/(?=\{name\})/, to), {
      files: await consumerFlake(stage.release, { app: note }),
      event,
      payload,
      secrets: { GITHUB_TOKEN: github.token },
      loggedIn,
      variables: { GITHUB_API_URL: github.url, GITHUB_RUN_ID: String(id), GITHUB_BASE_REF: 'main' },
    });
  } finally {
    await stop();
  }
};

const api = (path: string): string => `http://${stage.host}/v2/preview/app/${path}`;

const tags = async (): Promise<string[]> => {
  const { tags: found } = (await (await fetch(api('tags/list'))).json()) as {
    readonly tags?: readonly string[] | null;
  };
  return [...(found ?? [])].sort();
};

/** Points another tag at what is under `from`, as a build of another branch may. */
const tagAs = async (from: string, to: string): Promise<void> => {
  const type = 'application/vnd.oci.image.index.v1+json';
  const body = await (await fetch(api(`manifests/${from}`), { headers: { accept: type } })).arrayBuffer();
  const answer = await fetch(api(`manifests/${to}`), { method: 'PUT', headers: { 'content-type': type }, body });
  expect(answer.status).toBe(201);
};

test('a pull request from opened to closed, with two pushes, and a sweep', async ({ annotate }) => {
  const pulls: Pull[] = [{ number: 2, state: 'open' }];
  const { github, comments } = await openGitHub(pulls, { 'pull-requests': 'write' });
  const first = await run(github, { run: 101, payload: pullRequest('opened', 2, 'a'.repeat(40)), note: 'first' });
  expect(
    outcomes(first).filter((one) => /^(comment|images|plan|publish) /.test(one)),
    first.log,
  ).toEqual(['comment success', 'images success', 'plan success', 'publish success']);
  expect(await tags()).toEqual(['pr-2', 'pr-2-aaaaaaa']);
  expect(comments[0]?.body).toContain(`docker pull ${stage.host}/preview/app:pr-2\n`);
  expect(comments[0]?.body).toContain('New: the base branch has no such image.');
  // The base branch gets an image meanwhile, with which the next push is compared.
  await tagAs('pr-2', 'main');
  const second = await run(github, {
    run: 102,
    payload: pullRequest('synchronize', 2, 'b'.repeat(40)),
    note: 'second',
  });
  expect(second.ok, second.log).toBe(true);
  expect(await tags()).toEqual(['main', 'pr-2', 'pr-2-aaaaaaa', 'pr-2-bbbbbbb']);
  expect(comments).toHaveLength(1);
  expect(comments[0]?.body).toContain('| layers reused |');
  expect(comments[0]?.body).toContain('runs/102');
  expect(jobOf(second, 'comment').summary).toContain('layers reused');
  await annotate(comments[0]?.body ?? '');

  await tagAs('main', 'pr-26');
  pulls[0] = { number: 2, state: 'closed' };
  const closed = await run(github, { run: 103, payload: pullRequest('closed', 2, 'b'.repeat(40)) });
  expect(outcomes(closed), closed.log).toEqual(['clean success']);
  expect(await tags()).toEqual(['main', 'pr-26']);
  expect(comments).toHaveLength(1);
  expect(comments[0]?.body).toContain('The pull request is closed');
  await annotate(comments[0]?.body ?? '');

  // Nothing said that 26 was closed: the schedule finds out.
  pulls.push({ number: 26, state: 'closed' });
  const swept = await run(github, { run: 104, event: 'schedule', payload: { schedule: '23 3 * * *' } });
  expect(outcomes(swept), swept.log).toEqual(['clean success']);
  expect(await tags()).toEqual(['main']);
});

/** A package that the image has by saying its path, as Nix text. */
const TOOL = `$${'{'}builtins.toFile "tool-1.2" "x"}`;

test("a fork's pull request is built and tested, told in the summary with what it changes, and leaves nothing to clean", async ({
  annotate,
}) => {
  // GitHub lets its token read; of the base branch the test before has left an image, which needs no login.
  const { github, comments } = await openGitHub([{ number: 7, state: 'open' }], { 'pull-requests': 'read' });
  const opened = await run(github, { run: 201, payload: forkPullRequest(), note: TOOL, loggedIn: false });
  expect(
    outcomes(opened).filter((one) => /^(build|comment|images)/.test(one)),
    opened.log,
  ).toEqual(['build success', 'build success', 'comment success', 'images success']);
  const { summary } = jobOf(opened, 'comment');
  expect(summary).toContain('It comes from a fork');
  expect(summary).toMatch(/Compared with <code>.*preview&#47;app&#58;main<\/code>:/);
  expect(summary).toContain('<details><summary>1 added</summary>');
  expect(summary).toMatch(/\| <code>tool<\/code> \| added \| <code>1&#46;2<\/code> \| .* \| .* \|/);
  expect(summary).toContain('| layers reused |');
  expect(summary).not.toContain('docker pull');
  await annotate(summary);
  const closed = await run(github, { run: 202, payload: { ...forkPullRequest(), action: 'closed' } });
  expect(outcomes(closed), closed.log).toEqual(['clean success']);
  expect(comments).toEqual([]);
  expect((await tags()).filter((tag) => tag.startsWith('pr-7'))).toEqual([]);
});
