import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { startIssuer } from '../../emulators/oidc/issuer.ts';
import { startSts } from '../../emulators/oidc/sts.ts';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { runStep } from '../../support/action.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { copyFlake, type FlakeCopy, type Matrix } from './kit.ts';

const JOB = { run: 9, job: 'all', attempt: 1 };

let results: ResultsEmulator;
let registry: RunningRegistry;
let temp: TempDir;
let flake: FlakeCopy;
let many: FlakeCopy;

beforeAll(async () => {
  [results, registry, temp, flake, many] = await Promise.all([
    startResults(),
    startRegistry({ countRequests: true }),
    uniqueTempDir('plan-action'),
    copyFlake('mkimage'),
    copyFlake('many'),
  ]);
});

afterAll(async () => {
  await Promise.all([results?.stop(), registry?.stop(), temp?.remove(), flake?.remove(), many?.remove()]);
});

const step = (action: string, inputs: Readonly<Record<string, string>>, run = JOB.run) =>
  runStep(action, { results, job: { ...JOB, run }, temp: temp.path, with: inputs });

test('plan, build and publish as a workflow chains them, and nothing to build the second time', async () => {
  const to = `${registry.host}/lab/{name}`;
  const plan = () => step('plan', { flake: flake.flake, to, runners: 'aarch64-linux=big-arm' });
  const first = await plan();
  expect(first.exitCode, first.log).toBe(0);
  expect(first.outputs.any).toBe('true');
  const { include } = JSON.parse(first.outputs.matrix ?? '') as Matrix;
  expect(include.map(({ name, system, runner }) => `${name} ${system} ${runner}`)).toEqual([
    'team/web x86_64-linux ubuntu-latest',
    'team/web aarch64-linux big-arm',
    'worker x86_64-linux ubuntu-latest',
    'worker aarch64-linux big-arm',
  ]);
  expect(JSON.parse(first.outputs.images ?? '')).toMatchObject([
    { name: 'team/web', kind: 'definition', systems: ['x86_64-linux', 'aarch64-linux'] },
    { name: 'worker', kind: 'definition', systems: ['x86_64-linux', 'aarch64-linux'] },
  ]);
  expect(first.summary).toContain('| team/web | build (new) | build (new) |');

  // Both images for one system in one job, each handed over by itself; those for the other in jobs of their own.
  const [x86, arm] = SYSTEMS.map((system) => include.filter((job) => job.system === system));
  const together = x86?.map(({ installable }) => installable).join('\n') ?? '';
  for (const { installable, system } of [{ installable: together, system: 'x86_64-linux' }, ...(arm ?? [])]) {
    const built = await step('build', { installable, system });
    expect(built.exitCode, built.log).toBe(0);
    expect(built.outputs.handover?.split('\n')).toHaveLength(installable.split('\n').length);
  }
  const published = await step('publish', { plan: first.outputs.plan ?? '', to });
  expect(published.exitCode, published.log).toBe(0);
  expect(Object.keys(JSON.parse(published.outputs.digests ?? ''))).toEqual(['team/web', 'worker']);
  expect(published.outputs.references?.split('\n')).toEqual([
    `docker://${registry.host}/lab/team/web:v1`,
    `docker://${registry.host}/lab/worker:latest`,
  ]);

  const before = registry.requests().length;
  const second = await plan();
  expect(second.outputs.any).toBe('false');
  expect(JSON.parse(second.outputs.matrix ?? '')).toEqual({ include: [] });
  expect(second.summary).toContain('| team/web | published | published |');
  // One request an image tells all systems.
  const asked = () => registry.requests().slice(before);
  await expect
    .poll(() =>
      asked()
        .map((line) => /"([A-Z]+ \S+)/.exec(line)?.[1])
        .sort(),
    )
    .toEqual(['GET /v2/lab/team/web/manifests/v1', 'GET /v2/lab/worker/manifests/latest']);
});

test('one of two images fails: its outputs stand, and the step fails', async () => {
  const to = `${registry.host}/half/{name}`;
  const planned = await step('plan', { flake: flake.flake, to, systems: 'x86_64-linux' });
  const { include } = JSON.parse(planned.outputs.matrix ?? '') as Matrix;
  const job = { run: 10, job: 'all', attempt: 1 };
  const half = (action: string, inputs: Readonly<Record<string, string>>) =>
    runStep(action, { results, job, temp: temp.path, with: inputs });
  const [web] = include;
  const { call = '' } = web ?? {};
  const built = await half('build', { installable: web?.installable ?? '', system: 'x86_64-linux', call });
  expect(built.exitCode, built.log).toBe(0);
  const published = await half('publish', { plan: planned.outputs.plan ?? '', to, 'delete-handovers': 'true' });
  expect(published.exitCode).toBe(1);
  expect(Object.keys(JSON.parse(published.outputs.digests ?? ''))).toEqual(['team/web']);
  expect(published.log).toContain('1 of 2 images are not published');
  expect(published.summary).toContain('worker: no image for x86_64-linux');
  // A re-run of the failed job alone needs those of the others.
  expect(published.log).toContain('handovers stay: worker is not published');
  expect(results.artifacts().map(({ name }) => name)).toContain(built.outputs.handover);
});

test('a role that may not be assumed fails the plan, and no build job runs for it', async () => {
  const issuer = await startIssuer();
  onTestFinished(() => issuer.stop());
  const role = 'arn:aws:iam::123456789012:role/images';
  const sts = await startSts(issuer, () => undefined, { roles: {} });
  onTestFinished(() => sts.stop());
  const { exitCode, log, outputs } = await runStep('plan', {
    results,
    job: JOB,
    temp: temp.path,
    with: { flake: flake.flake, to: `${registry.host}/lab/{name}\npublic.ecr.aws/acme/{name}`, 'aws-role': role },
    env: { ...issuer.environment, AWS_ENDPOINT_URL_STS: sts.url },
  });
  expect(log).toContain(`cannot assume ${role}: AccessDenied`);
  expect(log).toContain('its trust policy has this statement');
  expect(exitCode).toBe(1);
  expect(outputs).toEqual({});
});

test('more images than there may be jobs go together', async () => {
  const batched = await step('plan', { flake: many.flake });
  expect(batched.exitCode, batched.log).toBe(0);
  const { include } = JSON.parse(batched.outputs.matrix ?? '') as Matrix;
  expect(include).toHaveLength(20);
  expect(include[0]).toMatchObject({ name: 'image-000 and 19 more', system: 'x86_64-linux' });
  expect(include.flatMap(({ installable }) => installable.split('\n'))).toHaveLength(400);
  const jobs = JSON.parse(batched.outputs.jobs ?? '') as Matrix;
  expect(jobs.include.map(({ images, system }) => [images, system])).toEqual(
    include.map(({ images, system }) => [images, system]),
  );
});

test('two calls of one run keep what they hand over apart', async () => {
  const call = async (place: string) => {
    const inputs = {
      flake: flake.flake,
      to: `${registry.host}/${place}/{name}`,
      images: 'worker',
      systems: 'x86_64-linux',
    };
    const planned = await step('plan', inputs, 11);
    const { include } = JSON.parse(planned.outputs.matrix ?? '') as Matrix;
    const [job] = include;
    const { installable = '', system = '', systems = '', call: name = '' } = job ?? {};
    const built = await step('build', { installable, system, systems, call: name }, 11);
    expect(built.exitCode, built.log).toBe(0);
    expect(built.outputs.handover).toBe(`handover-worker-x86_64-linux-${name}-1.tar`);
    return { plan: planned.outputs.plan ?? '', name, planned };
  };
  const [one, two] = [await call('one'), await call('two')];
  expect(one.name).not.toBe(two.name);
  const mixed = await step('publish', { to: `${registry.host}/mixed/{name}` }, 11);
  expect(mixed.log).toMatch(/several calls of this run hand over one image/);
  const handedOver = () =>
    results.artifacts().flatMap(({ name }) => (/worker.*-[0-9a-f]{8}-/.test(name) ? [name] : []));
  const [ofOne, ofTwo] = [one, two].map(({ name }) => `handover-worker-x86_64-linux-${name}-1.tar`);
  expect(handedOver()).toEqual([ofOne, ofTwo]);
  for (const { plan, name } of [one, two]) {
    const published = await step('publish', { plan, 'delete-handovers': `${name === one.name}` }, 11);
    expect(published.exitCode, published.log).toBe(0);
    expect(published.log).toContain(`Downloading the artifact handover-worker-x86_64-linux-${name}-1.tar`);
  }
  // Only the first deletes, and only its own.
  expect(handedOver()).toEqual([ofTwo]);
  expect(one.planned.outputs.publish).toBe('true');
  // A day later its artifacts are gone, and "re-run failed jobs" would find none for ever.
  const old = JSON.stringify({
    ...JSON.parse(two.plan),
    plannedAt: new Date(Date.now() - 50 * 3600 * 1000).toISOString(),
  });
  const expired = await step('publish', { plan: old }, 12);
  expect(expired.exitCode).toBe(1);
  expect(expired.log).toMatch(/what its build job handed over has expired \(planned 2 days ago\)/);
  expect(expired.log).toContain('Re-run all jobs');
});

test('the label of a job that was started with a full path lists all systems, so no half index is published', async () => {
  const [installable, system] = [`${flake.flake}#nixImages.x86_64-linux.worker`, 'x86_64-linux'];
  const built = await step('build', { installable, system }, 13);
  expect(built.exitCode, built.log).toBe(0);
  const published = await step('publish', { to: `${registry.host}/half-index/{name}` }, 13);
  expect(published.exitCode).toBe(1);
  expect(published.log).toContain('no image for aarch64-linux');
});

test('several flakes and destinations are one plan; an image that one destination lacks is built', async () => {
  const to = [`${registry.host}/lab/{name}`, `${registry.host}/MyOrg/{name}`].join('\n');
  const inputs = { flake: `${flake.flake}\n${many.flake}`, to, images: 'worker\nimage-001', systems: 'x86_64-linux' };
  const planned = await step('plan', { ...inputs, runners: 'x86_64-linux=["self-hosted","linux"]' }, 14);
  expect(planned.exitCode, planned.log).toBe(0);
  expect(planned.log).toContain(`to: ${registry.host}/MyOrg/{name} is used as ${registry.host}/myorg/{name}`);
  const { include } = JSON.parse(planned.outputs.matrix ?? '') as Matrix;
  expect(include.map(({ name, runner }) => [name, runner])).toEqual([
    ['image-001', ['self-hosted', 'linux']],
    ['worker', ['self-hosted', 'linux']],
  ]);
  for (const { installable, system, systems, call } of include)
    expect((await step('build', { installable, system, systems, call, to }, 14)).exitCode).toBe(0);
  const published = await step('publish', { plan: planned.outputs.plan ?? '', tags: 'v2' }, 14);
  expect(published.exitCode, published.log).toBe(0);
  expect(published.outputs.references?.split('\n').sort()).toEqual(
    ['lab', 'myorg'].flatMap((place) =>
      ['image-001', 'worker'].map((name) => `docker://${registry.host}/${place}/${name}:v2`),
    ),
  );
  const again = await step('plan', { ...inputs, tags: 'v2' }, 14);
  expect(again.outputs.any, again.log).toBe('false');
});

test('a large plan goes by an artifact that publish resolves and verifies', async () => {
  const inputs = { flake: many.flake, to: `${registry.host}/large/{name}`, systems: 'x86_64-linux' };
  const planned = await step('plan', inputs, 15);
  expect(planned.exitCode, planned.log).toBe(0);
  const plan = planned.outputs.plan ?? '';
  expect(plan).toMatch(/^artifact:plan-[0-9a-f]{8}-1-[0-9a-f]{8}\.json@sha256:[0-9a-f]{64}$/);
  const published = await step('publish', { plan, image: 'image-001' }, 15);
  expect(published.exitCode).toBe(1);
  expect(published.log).toContain('no image for x86_64-linux');
  const other = await step('publish', { plan: plan.replace(/[0-9a-f]{64}$/, 'a'.repeat(64)) }, 15);
  expect(other.log).toMatch(/the plan's artifact \S+ is not the one with the digest/);
  const gone = await step('publish', { plan }, 16);
  expect(gone.log).toMatch(/the plan's artifact \S+ is not among the artifacts of this run/);
  expect(gone.log).toContain('Re-run all jobs');
});
