import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { runCli } from '../support/cli.ts';
import { uniqueTempDir } from '../support/tools.ts';
import { jobOf, type WorkflowRun } from './harness/act.ts';
import { consumerFlake } from './harness/consumer.ts';
import { copyImage } from './harness/copy-image.ts';
import { writeFiles } from './harness/repository.ts';
import { SERVICES, servicesFlake } from './harness/services.ts';
import { openStage, outcomes, type Stage } from './harness/stage.ts';

// The one run has a dozen jobs, one of them emulated, beside other tests.
vi.setConfig({ testTimeout: 300_000 });

const X86 = { system: 'x86_64-linux' };
const ARM = { system: 'aarch64-linux' };

let stage: Stage;

beforeAll(async () => {
  stage = await openStage([]);
});

afterAll(() => stage?.remove());

beforeEach(() => stage.renew());

/** The same image name twice in one run: of two flakes, for two destinations. */
const workflow = (host: string): string => `on: push
permissions: {}
jobs:
  one:
    permissions: { contents: read, packages: write }
    uses: org/nix-images/.github/workflows/images.yml@v1
    with:
      to: ${host}/MyOrg/{name}
      tags: v1
      username: somebody
      runners: aarch64-linux=emulate
      ref: main
      submodules: recursive
      lfs: true
      created: commit
      free-space: 1
      before-build: |
        echo '"made before"' > note.nix
        git add --force note.nix
    secrets:
      registry-password: \${{ secrets.PASSWORD }}
      checkout-token: \${{ secrets.CHECKOUT_TOKEN }}
  two:
    permissions: { contents: read, packages: write }
    uses: org/nix-images/.github/workflows/images.yml@v1
    with:
      flake: ./services
      to: ${host}/two/{name}
      tags: v1
      username: somebody
      runner: '{"group":"big-machines"}'
      runners: |
        x86_64-linux={"group":"big-machines","labels":["self-hosted"]}
        aarch64-linux=no-such-machine
    secrets:
      registry-password: \${{ secrets.PASSWORD }}
  after:
    needs: [one, two]
    if: \${{ !cancelled() }}
    runs-on: ubuntu-latest
    steps:
      - env: { DIGEST: '\${{ needs.one.outputs.digest }}', DIGESTS: '\${{ needs.two.outputs.digests }}' }
        run: echo "one=<$DIGEST> two=<$DIGESTS>"
`;

/** As an earlier run would have left them: they are all alike but for their names. */
const publishServices = async (flake: Readonly<Record<string, string>>): Promise<void> => {
  await using folder = await uniqueTempDir('services');
  await writeFiles(folder.path, flake);
  const [first = '', ...others] = SERVICES.map((name) => `two/${name}`);
  const words = ['publish', `path:${folder.path}#${SERVICES[0]}`, '--to', `${stage.host}/${first}`, '--tag', 'v1'];
  const { exitCode, stderr } = await runCli(words);
  expect(exitCode, stderr).toBe(0);
  await copyImage(stage.host, first, others, 'v1');
};

type RunOfCall = Pick<WorkflowRun, 'jobs' | 'log'>;

const callOf = ({ jobs, log }: WorkflowRun, name: string): RunOfCall => ({
  jobs: jobs.filter(({ title }) => title.startsWith(`${name}/`)),
  log,
});

test('two calls of one run hand over apart: one emulated, one cross-compiled with a plan too large for an output', async ({
  annotate,
}) => {
  const [flake, services] = await Promise.all([
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Nix fills it in, not JavaScript.
    consumerFlake(stage.release, { app: '${import ./note.nix}' }),
    servicesFlake(stage.release),
  ]);
  await publishServices(services);
  const inServices = Object.entries(services).map(([name, text]) => [join('services', name), text]);
  const files = { ...flake, ...Object.fromEntries(inServices) };
  const secrets = { CHECKOUT_TOKEN: 'token-for-submodules' };
  const started = performance.now();
  const all = await stage.run(workflow(stage.host), { files, secrets });
  await annotate(`act: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const succeeded = ['build success', 'build success', 'images success', 'plan success', 'publish success'];
  const [one, two] = [callOf(all, 'one'), callOf(all, 'two')];
  expect(outcomes(one), all.log).toEqual(succeeded);
  expect(outcomes(two), all.log).toEqual(succeeded);

  // Each call has names of its own for what its build jobs hand over, and takes no other.
  const handedOver = (call: RunOfCall): string[] =>
    [X86, ARM].map((system) => jobOf(call, 'build', system).outputs.handover ?? '').sort();
  const names = stage.artifacts().map(({ name }) => name);
  const plans = names.filter((name) => name.startsWith('plan-'));
  expect(names.toSorted()).toEqual([...handedOver(one), ...handedOver(two), ...plans].sort());
  expect(new Set(names).size).toBe(5);
  for (const call of [one, two]) {
    const taken = [...jobOf(call, 'publish').output.matchAll(/(handover-\S+\.tar)\n/g)].map(([, name]) => name);
    expect([...new Set(taken)].sort()).toEqual(handedOver(call));
  }
  const [first, second] = await Promise.all([stage.indexOf('myorg/app', 'v1'), stage.indexOf('two/app', 'v1')]);
  expect(jobOf(all, 'after').output).toContain(`one=<${first.digest}>`);
  expect(jobOf(all, 'after').output).toContain(`"app":"${second.digest}"`);
  expect(first.digest).not.toBe(second.digest);

  // A runner of the other kind emulates; `before-build` made a file without which nothing evaluates.
  const emulated = jobOf(one, 'build', ARM);
  expect(emulated.matrix).toMatchObject({ runner: 'ubuntu-latest', emulate: 'aarch64-linux' });
  expect(emulated.output).toContain('emulation: ready');
  for (const job of one.jobs.filter(({ id }) => ['plan', 'build'].includes(id)))
    expect(job.output, job.title).toContain('checked out main, submodules recursive, lfs true, with ***');
  await stage.expectRuns(`docker://${stage.host}/myorg/app:v1`);

  // The runner is one that builds: where no machine of the image's own system is, act runs no job.
  const crossed = jobOf(two, 'build', ARM).matrix;
  const group = { group: 'big-machines', labels: ['self-hosted'] };
  expect(crossed).toMatchObject({ runner: group, emulate: '', buildSystem: X86.system });
  await stage.expectRuns(`docker://${stage.host}/two/app:v1`);

  // All of the plan came by an artifact, and the services are live already.
  const [plan] = stage.artifacts().filter(({ name }) => plans.includes(name));
  await annotate(`${plan?.name}: ${plan?.bytes.length} bytes`);
  expect(plan?.bytes.length).toBeGreaterThan(64 * 1024);
  expect(jobOf(two, 'plan').outputs.plan).toMatch(
    /^artifact:plan-[0-9a-f]{8}-1-[0-9a-f]{8}\.json@sha256:[0-9a-f]{64}$/,
  );
  expect(Object.keys(JSON.parse(jobOf(two, 'publish').outputs.digests ?? '')).sort()).toEqual(['app', ...SERVICES]);
});
