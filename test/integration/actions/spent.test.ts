import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { runStep, type StepResult } from '../../support/action.ts';
import { IMAGES } from '../../support/cli.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

// Three build jobs and four publishes, each a process that loads GitHub's client of artifacts: more than a second each.

let results: ResultsEmulator;
let registry: RunningRegistry;
let temp: TempDir;
let image: Record<string, string>;

beforeAll(async () => {
  [registry, results, temp] = await Promise.all([startRegistry(), startResults(), uniqueTempDir('spent')]);
  const nixArg = ['--argstr', 'packages', await debianPackages()].join('\n');
  image = { file: IMAGES, attr: 'small', 'nix-arg': nixArg };
});

afterAll(async () => {
  await Promise.all([registry?.stop(), results?.stop()]);
  await temp?.remove();
});

async function build(system: string, attempt = 1): Promise<void> {
  const job = { run: 7, job: `build-${system}`, attempt };
  const { exitCode, log } = await runStep('build', { results, job, temp: temp.path, with: { ...image, system } });
  expect(exitCode, log).toBe(0);
}

const publish = (name: string, inputs: Readonly<Record<string, string>> = {}): Promise<StepResult> =>
  runStep('publish', {
    results,
    job: { run: 7, job: 'publish', attempt: 2 },
    temp: temp.path,
    with: { to: `${registry.host}/spent/${name}`, 'delete-handovers': 'true', ...inputs },
  });

const left = (): string[] =>
  results
    .artifacts()
    .map(({ name }) => name)
    .sort();

const X86 = 'handover-test~small-x86_64-linux';
const ARM = 'handover-test~small-aarch64-linux';

test('what is published everywhere is deleted, earlier attempts too, and only where that is asked for', async () => {
  await build('x86_64-linux');
  const half = await publish('half:v1', { 'allow-missing': 'true' });
  expect(half.exitCode, half.log).toBe(0);
  expect(half.log).toContain('handovers stay: test/small is published without aarch64-linux');
  expect(left()).toEqual([`${X86}-1.tar`]);

  await build('x86_64-linux', 2);
  await build('aarch64-linux');
  const all = [`${ARM}-1.tar`, `${X86}-1.tar`, `${X86}-2.tar`];
  const kept = await publish('all:v1', { 'delete-handovers': 'false' });
  expect(kept.exitCode, kept.log).toBe(0);
  expect(left()).toEqual(all);

  // All is published, and the handovers expire by themselves.
  results.faults.add({
    kind: 'status',
    status: 403,
    route: 'DeleteArtifact',
    body: { code: 'permission_denied', msg: 'no' },
  });
  const refused = await publish('all:v1');
  expect(refused.exitCode, refused.log).toBe(0);
  expect(refused.log).toMatch(
    /::warning::handovers stay until they expire: cannot delete the artifact \S+: the service does not permit it/,
  );
  expect(left()).toEqual(all);

  const spent = await publish('all:v1');
  expect(spent.exitCode, spent.log).toBe(0);
  expect(spent.log).toContain('deleted 3 handovers of this run');
  expect(left()).toEqual([]);
});
