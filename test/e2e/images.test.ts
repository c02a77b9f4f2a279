import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type ResultsEmulator, startResults } from '../emulators/results/emulator.ts';
import { releaseTree } from '../integration/release/release.ts';
import { ROOT } from '../support/cli.ts';
import { TEST_NIX_CONFIG } from '../support/nix.ts';
import { type Podman, preparePodman } from '../support/podman.ts';
import { type RunningRegistry, startRegistry } from '../support/registry.ts';
import { type TempDir, uniqueTempDir } from '../support/tools.ts';
import { CONSUMER, jobOf, runWorkflow, type WorkflowOptions, type WorkflowRun } from './harness/act.ts';
import { consumerFlake } from './harness/consumer.ts';
import { forkPullRequest, pushToMain } from './harness/events.ts';
import { createLibrary, type Library } from './harness/library.ts';
import { writeFiles } from './harness/repository.ts';

// Each test runs several jobs, one of them emulated, beside other tests.
vi.setConfig({ testTimeout: 300_000 });

const WORKFLOW = '.github/workflows/images.yml';
const RUN = 77;
const X86 = { system: 'x86_64-linux' };
const ARM = { system: 'aarch64-linux' };
const MACHINES = [
  ['linux/amd64', 'x86_64'],
  ['linux/arm64', 'aarch64'],
] as const;

let temp: TempDir;
let release: TempDir;
let library: Library;
let flake: Record<string, string>;
let registry: RunningRegistry;
let podman: Podman;
let results: ResultsEmulator;
let jobs: string;

beforeAll(async () => {
  [temp, release, registry] = await Promise.all([uniqueTempDir('e2e'), releaseTree(), startRegistry()]);
  podman = await preparePodman();
  jobs = await readFile(join(ROOT, 'workflows/matrix.yml'), 'utf8');
  library = await createLibrary(release.path, [jobs]);
  flake = await consumerFlake(release.path);
  const auths = { [registry.host]: { auth: Buffer.from('somebody:secret').toString('base64') } };
  await writeFiles(temp.path, { 'config.json': JSON.stringify({ auths }) });
});

afterAll(async () => {
  await podman?.remove();
  await registry?.stop();
  await library?.remove();
  await release?.remove();
  await temp?.remove();
});

beforeEach(async () => {
  results = await startResults({ repository: CONSUMER });
  return () => results.stop();
});

/** A workflow of the user's that calls the reusable one. */
const caller = (to: string): string => `on: [push, pull_request]
permissions: {}
jobs:
  images:
    permissions: { contents: read, packages: write }
    uses: org/nix-images/.github/workflows/images.yml@v1
    with: { to: ${to}, tags: v1 }
  after:
    needs: images
    if: \${{ !cancelled() }}
    runs-on: ubuntu-latest
    steps:
      - env: { DIGEST: '\${{ needs.images.outputs.digest }}' }
        run: echo "digest=<$DIGEST>"
`;

interface Change extends Partial<Omit<WorkflowOptions, 'library' | 'workflow' | 'files'>> {
  readonly attempt?: number;
  /** Whether the job has logged in to the registry. */
  readonly loggedIn?: boolean;
}

const run = (workflow: string, { attempt = 1, loggedIn = false, ...change }: Change = {}): Promise<WorkflowRun> => {
  const env = {
    ...results.environment({ run: RUN, job: 'all', attempt }),
    NIX_CONFIG: TEST_NIX_CONFIG,
    DOCKER_CONFIG: loggedIn ? temp.path : '/nonexistent',
  };
  return runWorkflow({ library, files: { ...flake, [WORKFLOW]: workflow }, workflow: WORKFLOW, env, ...change });
};

const outcomes = ({ jobs }: WorkflowRun): string[] =>
  jobs
    .filter(({ result }) => result !== undefined)
    .map(({ id, result }) => `${id} ${result}`)
    .sort();

const artifacts = () => results.artifacts().map(({ name, bytes = Buffer.alloc(0) }) => ({ name, bytes }));

const indexOf = async (repository: string, tag: string) => {
  const headers = { accept: 'application/vnd.oci.image.index.v1+json' };
  const answer = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, { headers });
  return { status: answer.status, digest: answer.headers.get('docker-content-digest') };
};

const expectRuns = async (reference: string): Promise<void> => {
  for (const [platform, machine] of MACHINES) {
    const options = ['--rm', '--pull=always', '--quiet', '--tls-verify=false', '--platform', platform];
    const { stdout, stderr } = await podman.run(['run', ...options, reference]);
    expect(stdout.trim(), stderr).toBe(machine);
  }
};

test('two build jobs hand over by artifact, the fan-in publishes one index, and podman runs both platforms', async () => {
  const all = await run(caller(`${registry.host}/by-artifact`));
  expect(outcomes(all), all.log).toEqual([
    'after success',
    'build success',
    'build success',
    'plan success',
    'publish success',
  ]);
  expect(jobOf(all, 'build', ARM).output).toContain('handover: artifact');
  expect(
    artifacts()
      .map(({ name }) => name)
      .sort(),
  ).toEqual([expect.stringContaining('app-aarch64-linux-1'), expect.stringContaining('app-x86_64-linux-1')]);
  const { digest } = await indexOf('by-artifact', 'v1');
  expect(jobOf(all, 'after').output).toContain(`digest=<${digest}>`);
  expect(jobOf(all, 'publish').summary).toContain(`${digest}`);
  await expectRuns(`docker://${registry.host}/by-artifact:v1`);
});

test('with credentials they hand over through the registry, and the artifacts are under 10 KB', async ({
  annotate,
}) => {
  const all = await run(caller(`${registry.host}/by-registry`), { loggedIn: true });
  expect(outcomes(all), all.log).toEqual([
    'after success',
    'build success',
    'build success',
    'plan success',
    'publish success',
  ]);
  expect(jobOf(all, 'build', X86).output).toContain('handover: registry');
  for (const { name, bytes } of artifacts()) {
    const compressed = gzipSync(bytes).length;
    await annotate(`${name}: ${bytes.length} bytes, ${compressed} compressed`);
    expect(compressed, name).toBeLessThan(10_000);
  }
  expect(artifacts()).toHaveLength(2);
  await expectRuns(`docker://${registry.host}/by-registry:v1`);
});

test('a job that failed is run again alone, and the fan-in takes what the first attempt handed over', async () => {
  const failing = `      - if: \${{ github.run_attempt == 1 && matrix.system == 'aarch64-linux' }}
        run: exit 1
      - uses: org/nix-images/build@v1`;
  const workflow = jobs
    .replace('      - uses: org/nix-images/build@v1', failing)
    .replaceAll('ghcr.io/org/{name}', `${registry.host}/again`);
  const payload = pushToMain();
  const first = await run(workflow, { payload });
  expect(outcomes(first), first.log).toEqual(['build failure', 'build success', 'plan success', 'publish failure']);
  expect(jobOf(first, 'build', ARM).result).toBe('failure');
  const said = jobOf(first, 'publish')
    .annotations.map(({ text }) => text)
    .join('\n');
  expect(said).toContain('aarch64-linux');
  expect((await indexOf('again', 'latest')).status).toBe(404);

  const second = await run(workflow, { payload, attempt: 2, matrix: ARM });
  expect(outcomes(second), second.log).toEqual(['build success', 'plan success', 'publish success']);
  expect(artifacts().map(({ name }) => name)).toEqual([
    expect.stringContaining('app-x86_64-linux-1'),
    expect.stringContaining('app-aarch64-linux-2'),
  ]);
  await expectRuns(`docker://${registry.host}/again:latest`);
});

test("a fork's pull request is built and reported on, and nothing of it is published or handed over", async () => {
  const payload = forkPullRequest();
  const all = await run(caller(`${registry.host}/fork`), { event: 'pull_request', payload, loggedIn: true });
  expect(outcomes(all).filter((outcome) => outcome.startsWith('build'))).toEqual(['build success', 'build success']);
  expect(jobOf(all, 'build', ARM).summary).toContain('linux/arm64');
  expect(all.jobs.find(({ id }) => id === 'publish')?.steps ?? []).toEqual([]);
  expect(artifacts()).toEqual([]);
  expect((await indexOf('fork', 'v1')).status).toBe(404);
});

test('the action at the top finds every image and does the whole job on one machine', async () => {
  const workflow = `on: push
jobs:
  all:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: { persist-credentials: false }
      - id: images
        uses: org/nix-images@v1
        with: { to: '${registry.host}/whole/{name}' }
      - env: { REFERENCES: '\${{ steps.images.outputs.references }}' }
        run: |
          echo "references=<$REFERENCES>"
          nix show-config | grep ^experimental-features
`;
  const all = await run(workflow, { loggedIn: true });
  expect(outcomes(all), all.log).toEqual(['all success']);
  // The action's set-up holds for the steps after it.
  expect(jobOf(all, 'all').output).toContain('experimental-features = flakes nix-command');
  expect(jobOf(all, 'all').output).toContain(`references=<docker://${registry.host}/whole/app:latest>`);
  expect(artifacts()).toEqual([]);
  await expectRuns(`docker://${registry.host}/whole/app:latest`);
});
