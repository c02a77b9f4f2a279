import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { branchRoutes } from '../emulators/github/branches.ts';
import { type GitHubEmulator, startGitHub } from '../emulators/github/emulator.ts';
import { GitRepository } from '../emulators/github/git-repository.ts';
import { graphqlRoute } from '../emulators/github/graphql.ts';
import { OpenedPulls, openedPullRoutes } from '../emulators/github/opened-pulls.ts';
import { type ResultsEmulator, startResults } from '../emulators/results/emulator.ts';
import { debianPackages } from '../fixtures/debian/generate.ts';
import { releaseTree } from '../integration/release/release.ts';
import { ROOT } from '../support/cli.ts';
import { TEST_NIX_CONFIG } from '../support/nix.ts';
import { type TempDir, uniqueTempDir } from '../support/tools.ts';
import { CONSUMER, jobOf, runWorkflow, type WorkflowRun } from './harness/act.ts';
import { lockedFlake } from './harness/consumer.ts';
import { flakeInputs } from './harness/flake-inputs.ts';
import { createLibrary, type Library } from './harness/library.ts';
import { commitAll, git, writeFiles } from './harness/repository.ts';

// Each run has act's jobs, which evaluate and compare images for both systems, beside other tests.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const WORKFLOW = '.github/workflows/rebuild.yml';
const BRANCH = 'nix-images/update';
const PERMISSIONS = { contents: 'write', 'pull-requests': 'write' } as const;

let temp: TempDir;
let release: TempDir;
let library: Library;
let results: ResultsEmulator;
let github: GitHubEmulator;
let origin: GitRepository;
let pulls: OpenedPulls;
let files: Record<string, string>;
let notes: string;

const flakeText = (packages: string): string => `{
  ${flakeInputs(packages, release.path)}
  inputs.notes = { url = "git+file://${notes}"; flake = false; };

  outputs = { nixpkgs, nix-images, notes, ... }: {
    nixImages = builtins.mapAttrs (system: pkgs: {
      app = nix-images.lib.mkImage {
        name = "app";
        copyToRoot = [ pkgs.busybox ];
        config.Labels.note = builtins.readFile "\${notes}/note";
      };
    }) nixpkgs.legacyPackages;
  };
}
`;

beforeAll(async () => {
  [temp, release, results] = await Promise.all([
    uniqueTempDir('e2e'),
    releaseTree(),
    startResults({ repository: CONSUMER }),
  ]);
  library = await createLibrary(release.path, []);
  notes = join(temp.path, 'notes');
  await writeFiles(notes, { note: 'one' });
  await commitAll(notes, 'org/notes');
  // The example as it is, but for where the images are.
  const example = await readFile(join(ROOT, 'examples/workflows/rebuild.yml'), 'utf8');
  const caller = example.replace(/to: ghcr.*/, `to: oci:${temp.path}/{name}:latest`);
  files = { ...(await lockedFlake(flakeText(await debianPackages()))), [WORKFLOW]: caller };
  const [seed, bare] = [join(temp.path, 'seed'), join(temp.path, 'origin.git')];
  await writeFiles(seed, files);
  await commitAll(seed, CONSUMER);
  await git(temp.path, 'clone', '--quiet', '--bare', seed, bare);
  origin = new GitRepository(bare);
  pulls = new OpenedPulls(origin);
  github = await startGitHub({
    repository: CONSUMER,
    routes: [
      ...branchRoutes(origin),
      ...openedPullRoutes(pulls, origin, {}, CONSUMER),
      graphqlRoute({ git: origin, pulls, modes: { permissions: PERMISSIONS } }),
    ],
    permissions: PERMISSIONS,
  });
});

afterAll(async () => {
  await github?.stop();
  await results?.stop();
  await library?.remove();
  await release?.remove();
  await temp?.remove();
});

const scheduled = async (schedule: string): Promise<WorkflowRun> => {
  const run = await runWorkflow({
    ...{ library, files, workflow: WORKFLOW, event: 'schedule', payload: { schedule } },
    env: {
      ...results.environment({ run: 7, job: 'all', attempt: 1 }),
      NIX_CONFIG: TEST_NIX_CONFIG,
      DOCKER_CONFIG: temp.path,
      GITHUB_API_URL: github.url,
    },
    secrets: { GITHUB_TOKEN: github.token },
  });
  expect(run.ok, run.log).toBe(true);
  return run;
};

const resultsOf = (run: WorkflowRun) => run.jobs.filter(({ result }) => result !== undefined).map(({ id }) => id);

test('a scheduled run without new inputs opens nothing; with one it opens a pull request', async () => {
  const first = await scheduled('17 5 * * 1');
  expect(jobOf(first, 'update').result).toBe('success');
  expect(resultsOf(first)).not.toContain('plan');
  expect([pulls.all, origin.branches()]).toEqual([[], ['main']]);

  await writeFiles(notes, { note: 'two' });
  await git(notes, 'commit', '--quiet', '--all', '--message', 'Two');
  await scheduled('17 5 * * 1');
  expect(pulls.all).toMatchObject([
    { head: BRANCH, base: 'main', title: 'Update notes', state: 'open', labels: ['dependencies'] },
  ]);
  expect(pulls.all[0]?.body).toMatch(/### app[\s\S]*linux\/amd64[\s\S]*approves/);
  const tip = origin.tip(BRANCH) ?? '';
  expect(origin.parents(tip)).toEqual([origin.tip('main')]);
  expect(origin.text('flake.lock', tip)).not.toBe(files['flake.lock']);
});

test('the nightly run builds everything and publishes nothing', async () => {
  const asked = github.requests.length;
  const run = await scheduled('41 2 * * *');
  expect(run.jobs.filter(({ id, result }) => id === 'build' && result === 'success').length).toBeGreaterThanOrEqual(2);
  expect(resultsOf(run)).not.toContain('update');
  // The cache of what was built is looked at; of pull requests and branches nothing is asked.
  const others = github.requests.slice(asked).filter((request) => !request.includes('/actions/cache'));
  expect(others).toEqual([]);
});
