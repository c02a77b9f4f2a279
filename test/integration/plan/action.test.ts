import { afterAll, beforeAll, expect, test } from 'vitest';
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

const step = (action: string, inputs: Readonly<Record<string, string>>) =>
  runStep(action, { results, job: JOB, temp: temp.path, with: inputs });

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
  expect(first.summary).toContain('| team/web | build | build |');

  for (const { installable, system } of include) {
    const built = await step('build', { installable, system });
    expect(built.exitCode, built.log).toBe(0);
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
  const built = await half('build', { installable: web?.installable ?? '', system: 'x86_64-linux' });
  expect(built.exitCode, built.log).toBe(0);
  const published = await half('publish', { plan: planned.outputs.plan ?? '', to });
  expect(published.exitCode).toBe(1);
  expect(Object.keys(JSON.parse(published.outputs.digests ?? ''))).toEqual(['team/web']);
  expect(published.log).toContain('1 of 2 images are not published');
  expect(published.summary).toContain('worker: no image for x86_64-linux');
});

test('more build jobs than a matrix takes are refused, with the filters that part them', async () => {
  const { exitCode, log, outputs } = await step('plan', { flake: many.flake });
  expect(exitCode).toBe(1);
  expect(log).toContain('400 build jobs are needed');
  expect(log).toContain("images: 'image-1*' in one, and '!image-1*' in the other");
  expect(outputs).toEqual({});
});
