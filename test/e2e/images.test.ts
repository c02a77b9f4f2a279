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
let examples: Readonly<Record<'self-hosted' | 'ghcr-docker-hub' | 'ecr-oidc', string>>;

beforeAll(async () => {
  [temp, release, registry] = await Promise.all([uniqueTempDir('e2e'), releaseTree(), startRegistry()]);
  podman = await preparePodman();
  jobs = await readFile(join(ROOT, 'workflows/matrix.yml'), 'utf8');
  const example = (name: string) => readFile(join(ROOT, `examples/workflows/${name}.yml`), 'utf8');
  examples = {
    'self-hosted': await example('self-hosted'),
    'ghcr-docker-hub': await example('ghcr-docker-hub'),
    'ecr-oidc': await example('ecr-oidc'),
  };
  library = await createLibrary(release.path, [jobs, ...Object.values(examples)]);
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
const caller = (to: string, inputs = ''): string => `on: [push, pull_request]
permissions: {}
jobs:
  call:
    permissions: { contents: read, packages: write }
    uses: org/nix-images/.github/workflows/images.yml@v1
    with:
      to: ${to}
      tags: v1
      username: somebody
${inputs}    secrets:
      registry-password: \${{ secrets.PASSWORD }}
  after:
    needs: call
    if: \${{ !cancelled() }}
    runs-on: ubuntu-latest
    steps:
      - env: { DIGEST: '\${{ needs.call.outputs.digest }}' }
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

/** What people see of a run: act's own log has the masks in it. */
const printed = ({ jobs }: WorkflowRun): string => jobs.map(({ output, summary }) => output + summary).join('');

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
    'images success',
    'plan success',
    'publish success',
  ]);
  expect(jobOf(all, 'build', ARM).output).toContain('handover: artifact');
  expect(
    artifacts()
      .map(({ name }) => name)
      .sort(),
  ).toEqual([
    expect.stringMatching(/app-aarch64-linux-.*1\.tar$/),
    expect.stringMatching(/app-x86_64-linux-.*1\.tar$/),
  ]);
  const { digest } = await indexOf('by-artifact', 'v1');
  expect(jobOf(all, 'after').output).toContain(`digest=<${digest}>`);
  expect(jobOf(all, 'publish').summary).toContain(`${digest}`);
  await expectRuns(`docker://${registry.host}/by-artifact:v1`);
});

test('on self-hosted runners with a password they hand over through the registry, and the artifacts are under 10 KB', async ({
  annotate,
}) => {
  const workflow = examples['self-hosted'].replace('registry.example.com', `${registry.host}/by-registry`);
  const secrets = { REGISTRY_PASSWORD: 'a-password' };
  const all = await run(workflow, { secrets, payload: pushToMain() });
  expect(outcomes(all), all.log).toEqual([
    'build success',
    'build success',
    'images success',
    'plan success',
    'publish success',
  ]);
  expect(jobOf(all, 'build', X86).output).toContain('handover: registry');
  expect(printed(all)).not.toContain('a-password');
  for (const { name, bytes } of artifacts()) {
    const compressed = gzipSync(bytes).length;
    await annotate(`${name}: ${bytes.length} bytes, ${compressed} compressed`);
    expect(compressed, name).toBeLessThan(10_000);
  }
  expect(artifacts()).toHaveLength(2);
  await expectRuns(`docker://${registry.host}/by-registry/app:latest`);
});

test('one call publishes to two registries what it built once', async () => {
  const workflow = examples['ghcr-docker-hub']
    .replace(/ghcr\.io\/.*\{name\}/, `${registry.host}/first/{name}`)
    .replace('docker.io/acme', `${registry.host}/second`)
    .replace('registry: docker.io', `registry: ${registry.host}`);
  const all = await run(workflow, { secrets: { DOCKERHUB_TOKEN: 'a-password' }, payload: pushToMain() });
  expect(outcomes(all), all.log).toContain('images success');
  const { digest } = await indexOf('first/app', 'latest');
  expect(digest).toMatch(/^sha256:/);
  expect((await indexOf('second/app', 'latest')).digest).toBe(digest);
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
    expect.stringMatching(/app-x86_64-linux-.*1\.tar$/),
    expect.stringMatching(/app-aarch64-linux-.*2\.tar$/),
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
  expect(jobOf(all, 'images').result, all.log).toBe('success');
});

test('after a plan that fails nothing is published, and the check of the fixed name is red', async () => {
  const inputs = '      images: none-of-these\n';
  const all = await run(caller(`${registry.host}/no-plan`, inputs));
  expect(
    outcomes(all).filter((outcome) => !outcome.startsWith('after')),
    all.log,
  ).toEqual(['images failure', 'plan failure']);
  const said = jobOf(all, 'images').annotations.map(({ text }) => text);
  expect(said).toEqual(['The plan did not succeed (failure).']);
  expect((await indexOf('no-plan', 'v1')).status).toBe(404);
});

test('the action at the top finds every image and does the whole job on one machine', async () => {
  const workflow = `${examples['ecr-oidc']
    .replace(/to: \S+\.amazonaws\.com/, `to: ${registry.host}/whole`)
    .replace(
      '- uses: org/nix-images@v1',
      '- id: images\n        uses: org/nix-images@v1',
    )}          nix-config: cores = 3
          access-tokens: github.com=ghp_private
      - env: { REFERENCES: '\${{ steps.images.outputs.references }}' }
        run: |
          echo "references=<$REFERENCES>"
          nix show-config | grep -E '^(experimental-features|cores|access-tokens)'
`;
  const all = await run(workflow, { loggedIn: true });
  expect(outcomes(all), all.log).toEqual(['images success']);
  // The action's set-up holds for the steps after it.
  expect(jobOf(all, 'images').output).toContain('experimental-features = flakes nix-command');
  expect(jobOf(all, 'images').output).toContain('cores = 3');
  expect(jobOf(all, 'images').output).toContain('access-tokens = ***');
  expect(printed(all)).not.toContain('ghp_private');
  expect(jobOf(all, 'images').output).toContain(`references=<docker://${registry.host}/whole/app:latest>`);
  expect(artifacts()).toEqual([]);
  await expectRuns(`docker://${registry.host}/whole/app:latest`);
});
