// The reusable workflow with its cache, as act runs it: each run takes some seconds.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { cacheRoutes } from '../emulators/github/caches.ts';
import { startGitHub } from '../emulators/github/emulator.ts';
import { type ResultsEmulator, startResults } from '../emulators/results/emulator.ts';
import { type CacheScope, pullRequestScopes } from '../emulators/results/tokens.ts';
import { TEST_NIX_CONFIG } from '../support/nix.ts';
import { releaseTree } from '../support/release.ts';
import { runProgram, type TempDir } from '../support/tools.ts';
import { CONSUMER, jobOf, runWorkflow, type WorkflowRun } from './harness/act.ts';
import { consumerFlake } from './harness/consumer.ts';
import { forkPullRequest, pushToMain } from './harness/events.ts';
import { createLibrary, type Library } from './harness/library.ts';

vi.setConfig({ testTimeout: 300_000 });

const WORKFLOW = '.github/workflows/images.yml';

let release: TempDir;
let library: Library;
let results: ResultsEmulator;
let salt: string;
let runs = 0;

beforeAll(async () => {
  release = await releaseTree();
  library = await createLibrary(release.path, []);
});

afterAll(async () => {
  await library?.remove();
  await release?.remove();
});

beforeEach(async () => {
  results = await startResults({ repository: CONSUMER });
  salt = randomBytes(6).toString('hex');
  return () => results.stop();
});

const caller = (cache: boolean, more = ''): string => `on: [push, pull_request]
permissions: {}
jobs:
  call:
    permissions: { contents: read, packages: read, actions: write }
    uses: org/nix-images/.github/workflows/build.yml@v1
    with:
      systems: x86_64-linux
      cache: ${cache}
${more}`;

/** A file that takes two seconds to build, as Nix text. */
const slowFile = (name: string): string =>
  `\${derivation { name = "slow-${name}"; inherit system; builder = "\${pkgs.busybox}/bin/sh"; ` +
  `args = [ "-euc" "sleep 2; echo ${name} > $out" ]; PATH = "\${pkgs.busybox}/bin"; }}`;

interface Options {
  readonly cache?: boolean;
  /** What the files of the image are called, beside the salt. */
  readonly names?: readonly string[];
  /** In place of that image: what is said of each of several. */
  readonly images?: Readonly<Record<string, string>>;
  /** Further lines of the call. */
  readonly inputs?: string;
  readonly event?: string;
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly scopes?: readonly CacheScope[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Every run begins with a machine that has not built the file. */
async function run(options: Options = {}): Promise<WorkflowRun> {
  const { cache = true, names = ['one'], inputs, scopes, variables, ...rest } = options;
  const { images = { app: names.map((name) => slowFile(`${name}-${salt}`)).join(' ') } } = options;
  await forget();
  const job = { run: ++runs, job: 'all', attempt: 1, ...(scopes && { scopes }) };
  return await runWorkflow({
    library,
    files: {
      ...(await consumerFlake(release.path, images)),
      [WORKFLOW]: caller(cache, inputs),
    },
    workflow: WORKFLOW,
    payload: pushToMain(),
    env: { ...results.environment(job), NIX_CONFIG: TEST_NIX_CONFIG, ...variables },
    ...rest,
  });
}

const built = async (): Promise<string[]> =>
  (await readdir('/nix/store')).filter((name) => name.includes('-slow-') && name.endsWith(salt));

async function forget(): Promise<void> {
  const paths = await built();
  if (paths.length > 0) await runProgram('nix-store', ['--delete', ...paths.map((name) => join('/nix/store', name))]);
  expect(await built()).toEqual([]);
}

const buildOf = (all: WorkflowRun): string => jobOf(all, 'build').output;

/** Other tests build in this machine's store meanwhile, and what they build is saved as well. */
const kinds = (ref: string): Set<string | undefined> =>
  new Set(
    results.caches
      .all()
      .filter((entry) => entry.ref === ref)
      .map(({ key }) => key.split('-')[3]),
  );

const MAIN = 'refs/heads/main';
const PULL = 'refs/pull/7/merge';

test("the second run takes from the cache what the first one built, though it may only read it, and so does a fork's pull request; without it all is built", async ({
  annotate,
}) => {
  const github = await startGitHub({
    repository: CONSUMER,
    routes: cacheRoutes(results.caches, CONSUMER),
    permissions: { actions: 'write' },
  });
  try {
    const rest = { variables: { GITHUB_API_URL: github.url }, secrets: { GITHUB_TOKEN: github.token } };
    const first = await run(rest);
    expect(first.ok, first.log).toBe(true);
    expect(buildOf(first)).toContain("GitHub's cache has no store paths yet");
    expect(buildOf(first)).toMatch(/stored \d+ paths? \(.*\) in \d packs? of GitHub's cache/);
    expect(await built()).toHaveLength(1);
    // The part of the build job is in the merged index, and gone.
    expect(jobOf(first, 'cache').result, first.log).toBe('success');
    expect(kinds(MAIN)).toEqual(new Set(['index', 'pack']));

    // As in a run that something untrusted has started: its token only reads caches, and what it builds is not kept.
    const keys = results.caches.all().map(({ key }) => key);
    const second = await run({ ...rest, names: ['one', 'two'], scopes: [{ ref: MAIN, permission: 'read' }] });
    expect(second.ok, second.log).toBe(true);
    expect(buildOf(second)).toMatch(/served 1 path \(.*\), 2\.\d s of builds saved/);
    expect(jobOf(second, 'build').summary).toContain('| From the cache | 1 path |');
    // One path, and what other tests have built in this machine's store meanwhile.
    expect(buildOf(second)).toMatch(/; [1-9]\d* could not be stored/);
    expect(second.log).toContain("this job may only read GitHub's cache");
    expect((await built()).map((name) => name.slice(33))).toEqual([`slow-two-${salt}`]);
    expect(jobOf(second, 'cache').result, second.log).toBe('success');
    expect(results.caches.all().map(({ key }) => key)).toEqual(keys);

    const asked = results.requests.length;
    const off = await run({ ...rest, cache: false });
    expect(off.ok, off.log).toBe(true);
    expect(results.requests.slice(asked).filter(({ route }) => route.includes('Cache'))).toEqual([]);
    expect(await built()).toHaveLength(1);

    // Without a token nothing can be listed: parts are found by the names of the plan's jobs.
    const change = { event: 'pull_request', payload: forkPullRequest(7), scopes: pullRequestScopes(7) };
    const pull = await run({ ...change, names: ['one', 'two'] });
    expect(pull.ok, pull.log).toBe(true);
    expect(buildOf(pull)).toMatch(/served 1 path/);
    expect((await built()).map((name) => name.slice(33))).toEqual([`slow-two-${salt}`]);
    expect(kinds(PULL)).toEqual(new Set(['index', 'pack', 'part']));
    expect(kinds(MAIN)).toEqual(new Set(['index', 'pack']));

    for (const [name, all] of Object.entries({ first, second, off, pull })) {
      const said = buildOf(all).match(/^(?:served|stored) .*\)?.*$/gm) ?? ['nothing of a cache'];
      await annotate(`${name}: ${said.join('; ')}`);
    }
  } finally {
    await github.stop();
  }
});

/** Files that are made at once, as Nix text: many whose time nobody knows. */
const quickFiles = (content: string): string =>
  Array.from({ length: 20 }, (_, at) => slowFile(`${at}-${salt}`).replace('sleep 2;', `true ${content};`)).join(' ');

/** How many of the files a job builds. */
const buildsIn = (output: string): number => [...output.matchAll(/building '\/nix\/store\/[^']*-slow-/g)].length;

test('what two images share is built once, by a first job, where that pays; where it does not, there is no such job', async ({
  annotate,
}) => {
  // The jobs share a machine here: each begins as a new one would.
  const inputs = `      before-build: nix-store --delete /nix/store/*-slow-*-${salt} || true\n`;
  const runOf = (content: string): Promise<WorkflowRun> =>
    run({ inputs, images: { app: quickFiles(content), tool: quickFiles(content) } });
  const first = await runOf('first');
  expect(first.ok, first.log).toBe(true);
  expect(jobOf(first, 'plan').output).toContain('; a job builds them first, which saves about');
  const shared = jobOf(first, 'shared').output;
  expect(buildsIn(shared)).toBe(20);
  expect(shared).toContain('built 20 derivations that 2 images share');
  const outputs = ['app', 'tool'].map((name) => jobOf(first, 'build', { name }).output);
  expect(outputs.map(buildsIn)).toEqual([0, 0]);
  expect(outputs.join('\n')).toMatch(/served 20 paths/);

  // Now it is known that they take no time.
  const second = await runOf('second');
  expect(second.ok, second.log).toBe(true);
  expect(jobOf(second, 'plan').output).toContain('; a job that builds them first would save nothing');
  expect(second.jobs.map(({ id }) => id)).not.toContain('shared');
  await annotate(`builds in the first job, then in each build job: 20, ${outputs.map(buildsIn).join(', ')}`);
});
