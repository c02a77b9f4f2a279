import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { startAwsEmulator } from '../emulators/aws/emulator.ts';
import { SUBJECT, startIssuer } from '../emulators/oidc/issuer.ts';
import { startSts } from '../emulators/oidc/sts.ts';
import { startEmulator } from '../emulators/registry/emulator.ts';
import { startResults } from '../emulators/results/emulator.ts';
import { PUBLIC, startAwsRegistry } from '../integration/aws/kit.ts';
import { startProxy } from '../support/proxy.ts';
import { ROOT } from '../support/root.ts';
import { CONSUMER, jobOf, type WorkflowRun } from './harness/act.ts';
import { consumerFlake } from './harness/consumer.ts';
import { forkPullRequest, pushToMain } from './harness/events.ts';
import { startPrivateCache } from './harness/private-cache.ts';
import { withOutputs } from './harness/re-run.ts';
import { openStage, outcomes, printed, type Run, type Stage } from './harness/stage.ts';

// Each test runs several jobs, one of them emulated, beside other tests.
vi.setConfig({ testTimeout: 300_000 });

const X86 = { system: 'x86_64-linux' };
const ARM = { system: 'aarch64-linux' };

let stage: Stage;
let flake: Record<string, string>;
let jobs: string;
let examples: Readonly<Record<'self-hosted' | 'ghcr-cachix' | 'ghcr-ecr-public-oidc' | 'ecr-oidc', string>>;

beforeAll(async () => {
  jobs = await readFile(join(ROOT, 'workflows/matrix.yml'), 'utf8');
  const example = (name: string) => readFile(join(ROOT, `examples/workflows/${name}.yml`), 'utf8');
  examples = {
    'self-hosted': await example('self-hosted'),
    'ghcr-cachix': await example('ghcr-cachix'),
    'ghcr-ecr-public-oidc': await example('ghcr-ecr-public-oidc'),
    'ecr-oidc': await example('ecr-oidc'),
  };
  stage = await openStage([jobs, ...Object.values(examples)]);
  flake = await consumerFlake(stage.release);
});

afterAll(() => stage?.remove());

beforeEach(() => stage.renew());

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
`;

const run = (workflow: string, change: Run = {}): Promise<WorkflowRun> =>
  stage.run(workflow, { files: flake, ...change });

test('on self-hosted runners with a password they hand over through the registry, and the artifacts are under 10 KB', async ({
  annotate,
}) => {
  const workflow = examples['self-hosted'].replace('registry.example.com', `${stage.host}/by-registry`);
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
  for (const { name, bytes } of stage.artifacts()) {
    const compressed = gzipSync(bytes).length;
    await annotate(`${name}: ${bytes.length} bytes, ${compressed} compressed`);
    expect(compressed, name).toBeLessThan(10_000);
  }
  expect(stage.artifacts()).toHaveLength(2);
  await stage.expectRuns(`docker://${stage.host}/by-registry/app:latest`);
});

test('what a private cache at Cachix has is fetched with its login and key, and not built', async () => {
  await using cache = await startPrivateCache(stage.release, 'cachix-token', 'only in the cache\n');
  const { host } = new URL(cache.url);
  const workflow = examples['ghcr-cachix']
    .replace(/ghcr\.io\/.*\{name\}/, `${stage.host}/cached/{name}`)
    .replace('https://acme.cachix.org', cache.url)
    .replace(/acme\.cachix\.org-1:\S+/, cache.publicKey)
    .replace('machine acme.cachix.org', `machine ${host.split(':')[0]}`);
  const secrets = { CACHIX_TOKEN: 'cachix-token', FLAKE_INPUTS_TOKEN: 'token-for-inputs' };
  const all = await run(workflow, { files: cache.flake, secrets, payload: pushToMain() });
  expect(outcomes(all), all.log).toEqual(['build success', 'images success', 'plan success', 'publish success']);
  expect(cache.asked().allowed).toContainEqual(expect.stringMatching(/^\/nar\//));
  expect(cache.asked().refused).toEqual([]);
  for (const secret of Object.values(secrets)) expect(printed(all)).not.toContain(secret);
  const { stdout } = await stage.podman.run(['run', '--rm', '--tls-verify=false', `${stage.host}/cached/app:latest`]);
  expect(stdout).toBe('only in the cache\n');
});

test('one call publishes to ghcr.io and, by OIDC, to ECR Public what it built once; the summary says who may pull it', async () => {
  const aws = await startAwsEmulator();
  onTestFinished(() => aws.stop());
  aws.store.repositories.set('public/app', { settings: {} });
  const issuer = await startIssuer();
  onTestFinished(() => issuer.stop());
  const role = 'arn:aws:iam::123456789012:role/images';
  const sts = await startSts(issuer, aws.accept, { roles: { [role]: (subject) => subject === SUBJECT } });
  onTestFinished(() => sts.stop());
  const token = 'the-token-of-the-run';
  const users = { 'nektos/act': token };
  const ghcr = await startEmulator({ auth: { scheme: 'token', users, refusesStrangers: 'token' } });
  onTestFinished(() => ghcr.stop());
  const ecr = await startAwsRegistry('public', aws, { scheme: 'http' });
  // Nothing resolves the registries' names here: what arrives has come through the proxy.
  const portOf = (port: number, host: string): number =>
    ({ 'ghcr.io': Number(ghcr.host.split(':')[1]), [PUBLIC]: Number(ecr.host.split(':')[1]) })[host] ?? port;
  const proxy = await startProxy({ portOf });
  onTestFinished(() => proxy[Symbol.asyncDispose]());

  const workflow = `${examples['ghcr-ecr-public-oidc']}      plain-http: |
        ghcr.io
        ${PUBLIC}
`;
  const all = await run(workflow, {
    secrets: { GITHUB_TOKEN: token },
    payload: pushToMain(),
    variables: {
      ...issuer.environment,
      AWS_ENDPOINT_URL: aws.url,
      AWS_ENDPOINT_URL_STS: sts.url,
      HTTP_PROXY: `http://${proxy.host}`,
      NO_PROXY: '127.0.0.1',
    },
  });
  expect(outcomes(all), all.log).toEqual([
    'build success',
    'build success',
    'images success',
    'plan success',
    'publish success',
  ]);
  const [first, second] = [ghcr.store.manifest('org/app', 'latest'), ecr.store.manifest('acme/app', 'latest')];
  expect(second?.bytes).toEqual(first?.bytes);
  const index = JSON.parse(String(first?.bytes)) as { manifests: unknown[]; annotations: Record<string, string> };
  expect(index.manifests).toHaveLength(2);
  // What links a package to its repository.
  expect(index.annotations['org.opencontainers.image.source']).toBe('https://github.com/org/consumer');
  const { summary } = jobOf(all, 'publish');
  expect(summary).toContain('is not public');
  expect(summary).toContain('(https://github.com/orgs/org/packages/container/app/settings)');
  // The job that looks and the one that writes there have each a session of their own, and leave nothing of it.
  expect(issuer.audiences).toEqual(['sts.amazonaws.com', 'sts.amazonaws.com']);
  expect(sts.opened).toHaveLength(2);
  expect(aws.violations).toEqual([]);
  const secrets = [...issuer.tokens, ...sts.opened.flatMap((session) => [session.secret, session.token]), token];
  for (const secret of secrets) expect(printed(all)).not.toContain(secret);
});

test('a job that failed is run again alone, with what the first attempt handed over, or told that it has expired', async () => {
  const failing = `      - if: \${{ github.run_attempt == 1 && matrix.system == 'aarch64-linux' }}
        run: exit 1
      - uses: org/nix-images/build@v1`;
  const workflow = jobs
    .replace('      - uses: org/nix-images/build@v1', failing)
    .replaceAll('ghcr.io/org/{name}', `${stage.host}/again`);
  const payload = pushToMain();
  const first = await run(workflow, { payload });
  expect(outcomes(first), first.log).toEqual(['build failure', 'build success', 'plan success', 'publish failure']);
  expect(jobOf(first, 'build', ARM).result).toBe('failure');
  const said = jobOf(first, 'publish')
    .annotations.map(({ text }) => text)
    .join('\n');
  expect(said).toContain('aarch64-linux');
  expect((await stage.indexOf('again', 'latest')).status).toBe(404);

  // "Re-run failed jobs" runs no job again that succeeded: their outputs are those of the first attempt.
  const { outputs } = jobOf(first, 'plan');
  // Two days later, what was handed over is gone.
  const planned = new Date(Date.now() - 50 * 3_600_000).toISOString();
  const old = { ...outputs, plan: JSON.stringify({ ...JSON.parse(outputs.plan ?? ''), plannedAt: planned }) };
  const empty = await startResults({ repository: CONSUMER });
  const late = await run(withOutputs(workflow, 'plan', old), { payload, attempt: 2, matrix: ARM, results: empty });
  await empty.stop();
  expect(outcomes(late), late.log).toEqual(['build success', 'plan success', 'publish failure']);
  const [expired = ''] = jobOf(late, 'publish').annotations.flatMap(({ level, text }) =>
    level === 'error' ? [text] : [],
  );
  expect(expired).toContain('no image for x86_64-linux: what its build job handed over has expired');
  expect(expired).toContain('(planned 2 days ago)');
  expect(expired).toContain('Choose "Re-run all jobs"');
  expect((await stage.indexOf('again', 'latest')).status).toBe(404);

  const second = await run(withOutputs(workflow, 'plan', outputs), { payload, attempt: 2, matrix: ARM });
  expect(outcomes(second), second.log).toEqual(['build success', 'plan success', 'publish success']);
  expect(stage.artifacts().map(({ name }) => name)).toEqual([
    expect.stringMatching(/app-x86_64-linux-.*1\.tar$/),
    expect.stringMatching(/app-aarch64-linux-.*2\.tar$/),
  ]);
  await stage.expectRuns(`docker://${stage.host}/again:latest`);
});

test("a fork's pull request is built and reported on, and nothing of it is published or handed over", async () => {
  const payload = forkPullRequest();
  const all = await run(caller(`${stage.host}/fork`), { event: 'pull_request', payload, loggedIn: true });
  expect(outcomes(all).filter((outcome) => outcome.startsWith('build'))).toEqual(['build success', 'build success']);
  expect(jobOf(all, 'build', ARM).summary).toContain('linux/arm64');
  expect(all.jobs.find(({ id }) => id === 'publish')?.steps ?? []).toEqual([]);
  expect(stage.artifacts().map(({ name }) => name.replace(/-app-.*/, ''))).toEqual(['report', 'report']);
  expect((await stage.indexOf('fork', 'v1')).status).toBe(404);
  expect(jobOf(all, 'images').result, all.log).toBe('success');
});

test('after a plan that fails nothing is published, and the check of the fixed name is red', async () => {
  const inputs = '      images: none-of-these\n';
  const all = await run(caller(`${stage.host}/no-plan`, inputs));
  expect(outcomes(all), all.log).toEqual(['images failure', 'plan failure']);
  const said = jobOf(all, 'images').annotations.map(({ text }) => text);
  expect(said).toEqual(['The plan did not succeed (failure).']);
  expect((await stage.indexOf('no-plan', 'v1')).status).toBe(404);
});

test('the action at the top finds every image and does the whole job on one machine', async () => {
  const workflow = `${examples['ecr-oidc']
    .replace(/to: \S+\.amazonaws\.com/, `to: ${stage.host}/whole`)
    .replace(/ +aws-role: .*\n/, '')
    .replace('- uses: org/nix-images@v1', '- id: images\n        uses: org/nix-images@v1')}          flake: .
          images: ap*
          require-lock: true
          nix-config: cores = 3
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
  expect(jobOf(all, 'images').output).toContain(`references=<docker://${stage.host}/whole/app:latest>`);
  expect(stage.artifacts()).toEqual([]);
  // It saves what it built, and merges, for there is no other job; images have no part in it.
  expect(jobOf(all, 'images').output).toMatch(/(?:stored \d+ paths? .* of|nothing new for) GitHub's cache/);
  await stage.expectRuns(`docker://${stage.host}/whole/app:latest`);
});
