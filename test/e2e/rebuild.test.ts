import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { branchRoutes } from '../emulators/github/branches.ts';
import { type GitHubEmulator, startGitHub } from '../emulators/github/emulator.ts';
import { GitRepository } from '../emulators/github/git-repository.ts';
import { graphqlRoute } from '../emulators/github/graphql.ts';
import { OpenedPulls, openedPullRoutes } from '../emulators/github/opened-pulls.ts';
import { type RegistryEmulator, startEmulator } from '../emulators/registry/emulator.ts';
import { type ResultsEmulator, startResults } from '../emulators/results/emulator.ts';
import { debianPackages } from '../fixtures/debian/generate.ts';
import { runStep } from '../support/action.ts';
import { TEST_NIX_CONFIG } from '../support/nix.ts';
import { releaseTree } from '../support/release.ts';
import { ROOT } from '../support/root.ts';
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
/** When the image was made that is published at first. */
const OLD = '2026-01-01T00:00:00Z';
const PERMISSIONS = { contents: 'write', 'pull-requests': 'write' } as const;

let temp: TempDir;
let release: TempDir;
let library: Library;
let results: ResultsEmulator;
let github: GitHubEmulator;
let origin: GitRepository;
let registry: RegistryEmulator;
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
        config.Labels.tool = "\${builtins.toFile "tool-1.2" "x"}";
      };
    }) nixpkgs.legacyPackages;
  };
}
`;

beforeAll(async () => {
  [temp, release, results, registry] = await Promise.all([
    uniqueTempDir('e2e'),
    releaseTree(),
    startResults({ repository: CONSUMER }),
    startEmulator(),
  ]);
  library = await createLibrary(release.path, []);
  notes = join(temp.path, 'notes');
  await writeFiles(notes, { note: 'one' });
  await commitAll(notes, 'org/notes');
  // The example as it is, but for where the images are, and with a feed of vulnerabilities.
  const example = await readFile(join(ROOT, 'examples/workflows/rebuild.yml'), 'utf8');
  const caller = example.replace(
    /to: ghcr.*/,
    `to: ${registry.host}/rebuild/{name}\n      advisories: advisories.json`,
  );
  const advisories = JSON.stringify([{ pname: 'tool', version: '1.2', affected_by: ['CVE-2026-1'] }]);
  files = {
    ...(await lockedFlake(flakeText(await debianPackages()))),
    ...{ [WORKFLOW]: caller, 'advisories.json': advisories },
  };
  const auth = Buffer.from('somebody:secret').toString('base64');
  await writeFiles(temp.path, { 'config.json': JSON.stringify({ auths: { [registry.host]: { auth } } }) });
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
  await registry?.stop();
  await github?.stop();
  await results?.stop();
  await library?.remove();
  await release?.remove();
  await temp?.remove();
});

const scheduled = async (schedule: string): Promise<WorkflowRun> => {
  const run = await runWorkflow({
    ...{ library, files, workflow: WORKFLOW, event: 'schedule' },
    payload: { schedule, repository: { full_name: CONSUMER, default_branch: 'main' } },
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

/** Tags of the image, and when what `latest` means was made: an index has what all of its images have. */
const published = () => {
  const latest = registry.store.manifest('rebuild/app', 'latest')?.bytes.toString();
  const { annotations } = JSON.parse(latest ?? '{}') as { readonly annotations?: Readonly<Record<string, string>> };
  return {
    tags: [...registry.store.tags('rebuild/app').keys()],
    created: annotations?.['org.opencontainers.image.created'] ?? '',
  };
};

test('a scheduled run without new inputs publishes again what is old or has an advisory; with one it opens a pull request', async () => {
  const seed = await runStep('publish', {
    ...{ results, job: { run: 1, job: 'publish', attempt: 1 }, temp: temp.path },
    with: { installable: `${join(temp.path, 'seed')}#app`, to: `${registry.host}/rebuild/app:latest`, created: OLD },
    env: { NIX_CONFIG: TEST_NIX_CONFIG, GITHUB_REPOSITORY: CONSUMER, GITHUB_SHA: 'c0ffee', DOCKER_CONFIG: temp.path },
  });
  expect(seed.exitCode, seed.log).toBe(0);
  expect(published()).toEqual({ tags: ['latest'], created: OLD });

  const began = Date.now();
  const first = await scheduled('17 5 * * 1');
  const said = jobOf(first, 'update').output;
  expect(said).toMatch(/app was made \d+ days ago/);
  expect(said).toContain('app has tool 1.2 (CVE-2026-1)');
  expect(resultsOf(first)).toEqual(expect.arrayContaining(['plan', 'build', 'publish', 'images', 'mode']));
  expect([pulls.all, origin.branches()]).toEqual([[], ['main']]);
  const again = published();
  expect(Date.parse(again.created)).toBeGreaterThan(began - 1000);
  expect(again.tags.sort()).toEqual([expect.stringMatching(/^20\d{6}$/), 'latest', expect.stringMatching(/^sha-/)]);

  await writeFiles(notes, { note: 'two' });
  await git(notes, 'commit', '--quiet', '--all', '--message', 'Two');
  const second = await scheduled('17 5 * * 1');
  expect(resultsOf(second)).not.toContain('plan');
  expect(published().created).toBe(again.created);
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
