import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type PreviewInputs, preview, runPreview } from '../../../src/commands/preview.ts';
import { parseBudget } from '../../../src/preview/budget.ts';
import { parseRegistryLine } from '../../../src/publish/destination-line.ts';
import { commentRoutes, type StoredComment } from '../../emulators/github/comments.ts';
import { type GitHubOptions, startGitHub } from '../../emulators/github/emulator.ts';
import { type Pull, pullRoutes } from '../../emulators/github/pulls.ts';
import type { ResultsEmulator } from '../../emulators/results/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { plainFetch } from '../github/cache/kit.ts';
import { becomeJob } from '../github/kit.ts';

interface Change {
  readonly run?: number;
  readonly event?: string;
  readonly payload?: object;
  readonly budget?: readonly string[];
  readonly given?: Partial<PreviewInputs>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Options extends Partial<Omit<GitHubOptions, 'routes'>> {
  /** Changed by the test as time goes on. */
  readonly pulls: Pull[];
  readonly routes?: GitHubOptions['routes'];
  /** The service that keeps the run's artifacts. Default: no call to one is expected. */
  readonly results?: ResultsEmulator;
}

const artifactsAt = (results: ResultsEmulator) => async () => becomeJob(results, { run: 77, job: 'comment' }).client;

/** What GitHub says about a pull request of the repository itself. */
export const pullPayload = (action: string, more: { readonly number?: number; readonly head?: string } = {}) => {
  const { number = 7, head = 'b'.repeat(40) } = more;
  return {
    action,
    number,
    repository: { full_name: 'org/app', default_branch: 'main' },
    pull_request: { number, head: { sha: head, repo: { full_name: 'org/app' } } },
  };
};

/** A repository at GitHub whose runs call `preview`. */
export const openRepository = async ({ pulls, routes = [], results, ...options }: Options) => {
  const comments: StoredComment[] = [];
  const all = [...pullRoutes(pulls), ...commentRoutes({ pulls, comments }), ...routes];
  const github = await startGitHub({ permissions: { 'pull-requests': 'write' }, ...options, routes: all });
  onTestFinished(() => github.stop());
  const folder = await mkdtemp(join(tmpdir(), 'nix-images-preview-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const log = memoryLog();
  const unused = async () => {
    throw new Error('not to be called');
  };

  /** Runs the command in a job, and gives what it tells. */
  const run = async (
    to: string,
    { run: id = 77, event = 'pull_request', payload, budget = [], given, env }: Change,
  ) => {
    const file = join(folder, 'event.json');
    await writeFile(file, JSON.stringify(payload ?? pullPayload('opened')));
    const variables: Readonly<Record<string, string>> = {
      ...{ GITHUB_EVENT_NAME: event, GITHUB_EVENT_PATH: file, GITHUB_RUN_ID: String(id), GITHUB_BASE_REF: 'main' },
      ...{ GITHUB_REPOSITORY: 'org/app', GITHUB_API_URL: github.url, GITHUB_WORKFLOW: 'Previews' },
      DOCKER_CONFIG: '/nonexistent',
      ...results?.environment({ run: 77, job: 'comment' }),
      ...env,
    };
    const host = {
      kind: 'runner',
      env: (name: string) => variables[name],
      cwd: folder,
      program: new URL('file:///nonexistent'),
      log,
      exec: unused,
      fetch: plainFetch,
      signal: new AbortController().signal,
      tempDir: () => mkdtemp(join(folder, 'temp-')),
      loadArtifactClient: results === undefined ? unused : artifactsAt(results),
    } satisfies Parameters<typeof runPreview>[1];
    const inputs = {
      ...{ to: [parseRegistryLine(to)], images: undefined, published: undefined, base: undefined, name: undefined },
      ...{ budget: budget.map(parseBudget), author: 'github-actions[bot]', token: github.token },
      ...{ plainHttp: [], registry: undefined, username: undefined, password: undefined, registryAuth: undefined },
      ...given,
    } as unknown as PreviewInputs;
    const clock = { now: Date.now, sleep: async () => {}, random: () => 0.5 };
    // GitHub's seconds between two comments are short here.
    return preview.present(await runPreview(inputs, host, clock, 1));
  };
  return { github, comments, log, run };
};
