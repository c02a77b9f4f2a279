import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { runStep, type StepResult } from '../../support/action.ts';
import { ROOT } from '../../support/root.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { becomeJob } from '../github/kit.ts';

let results: ResultsEmulator;
let registry: RegistryEmulator;
let temp: TempDir;
let honest: StepResult;

const NAME = 'handover-test~app-x86_64-linux';
const salt = crypto.randomUUID();

interface Change {
  readonly env?: Record<string, string>;
  readonly with?: Record<string, string>;
  readonly run?: number;
}

const image = (text: string): Record<string, string> => ({
  file: join(ROOT, 'test/fixtures/trust'),
  attr: 'app',
  system: 'x86_64-linux',
  'nix-arg': ['--argstr', 'salt', `${salt} ${text}`].join('\n'),
});

const build = (job: string, text: string, { env = {}, run = 7, ...change }: Change = {}): Promise<StepResult> =>
  runStep('build', {
    results,
    job: { run, job, attempt: 1 },
    temp: temp.path,
    with: { ...image(text), ...change.with },
    env,
  });

const publish = (tag: string, more: Record<string, string> = {}, run = 7): Promise<StepResult> =>
  runStep('publish', {
    results,
    job: { run, job: 'publish', attempt: 1 },
    temp: temp.path,
    with: { to: `${registry.host}/victim/app:${tag}`, system: 'x86_64-linux', ...more },
  });

const isHonest = (tag: string, digest = honest.outputs.digest): boolean => {
  const index = JSON.parse(registry.store.manifest('victim/app', tag)?.bytes.toString() ?? '{"manifests":[]}');
  return index.manifests[0]?.digest === digest;
};

/** Uploads, as any job of the run can, a file under a name of its choice. */
const upload = async (bytes: Uint8Array, end: string): Promise<void> => {
  const file = join(temp.path, `${NAME}-${end}`);
  await writeFile(file, bytes);
  await becomeJob(results, { run: 7, job: 'unit-tests' }).artifacts.upload(`${NAME}-${end}`, file, {
    retentionDays: 1,
  });
};

beforeAll(async () => {
  [results, registry, temp] = await Promise.all([startResults(), startEmulator(), uniqueTempDir('trust')]);
  honest = await build('build', 'honest');
  expect(honest.exitCode, honest.log).toBe(0);
  // Another job of the run, which runs a stranger's code, says that it is a later attempt.
  const evil = await build('unit-tests', 'evil', { env: { GITHUB_RUN_ATTEMPT: '999999999' } });
  expect(evil.exitCode, evil.log).toBe(0);
});

afterAll(async () => {
  await Promise.all([results?.stop(), registry?.stop(), temp?.remove()]);
});

test('an attempt that the run has not reached does not count', async () => {
  const { exitCode, log } = await publish('attempt');
  expect(exitCode, log).toBe(0);
  expect(isHonest('attempt')).toBe(true);
});

test('a job that builds by itself can leave all artifacts alone', async () => {
  const { exitCode, log } = await publish('alone', { ...image('alone'), handovers: 'none' });
  expect(exitCode, log).toBe(0);
  expect(log).not.toContain('Downloading the artifact');
  expect(isHonest('alone')).toBe(false);
});

test('where only what is at the registry is taken, an artifact with layers is refused', async () => {
  const { exitCode, log } = await publish('registry', { handovers: 'registry' });
  expect(exitCode).toBe(1);
  expect(log).toMatch(/holds its layers itself, which handovers: registry does not allow/);
});

test('a manifest that the registry does not have was put there by nobody who may', async () => {
  const to = `${registry.host}/victim/app`;
  const built = await build('build', 'honest', { run: 8, with: { to, handover: 'registry' } });
  expect(built.exitCode, built.log).toBe(0);
  const taken = await publish('there', { handovers: 'registry' }, 8);
  expect(taken.exitCode, taken.log).toBe(0);
  // The number of the run is in the manifest, so another run's is another one.
  expect(isHonest('there', built.outputs.digest)).toBe(true);
  registry.store.removeManifest('victim/app', built.outputs.digest ?? '');
  const { exitCode, log } = await publish('gone', { handovers: 'registry' }, 8);
  expect(exitCode).toBe(1);
  expect(log).toMatch(/does not have sha256:[0-9a-f]{64}, which \S+ hands over/);
});

test('another upload of the same attempt is an error, and the digests of build jobs say which counts', async () => {
  const evil = results.artifacts().find(({ name }) => name.endsWith('999999999.tar'))?.bytes;
  await upload(evil ?? Buffer.of(), '1.2.tar');
  const twice = await publish('twice');
  expect(twice.exitCode).toBe(1);
  expect(twice.log).toMatch(/differ, and are of one build job/);
  const digest = honest.outputs['handover-digest'] ?? '';
  const known = await publish('known', { handovers: 'digest', 'handover-digest': `\n${digest}\n` });
  expect(known.exitCode, known.log).toBe(0);
  expect(isHonest('known')).toBe(true);
  // A job that failed has no output, and that is not the same as no wish.
  const none = await publish('none', { handovers: 'digest', 'handover-digest': '\n' });
  expect(none.exitCode).toBe(1);
  expect(none.log).toMatch(/1\.2\.tar is left out: handover-digest does not name sha256:/);
  expect(none.log).toMatch(/none of this run's artifacts is a handover/);
});

test('a login that may only read is noticed at the first upload, and the artifact takes the layers', async () => {
  const auth = Buffer.from('reader:password').toString('base64');
  const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth } } }) };
  const to = `${registry.host}/read-only/app`;
  registry.inject({ kind: 'status', status: 403, method: 'POST', path: /read-only/, times: 100 });
  try {
    const built = await build('build', 'honest', { run: 9, env, with: { to, 'retention-days': '5' } });
    expect(built.exitCode, built.log).toBe(0);
    expect(built.log).toMatch(/handover: registry .*credentials/);
    expect(built.log).toContain('handing over by an artifact of the run instead');
    expect(built.outputs.handover).toBe(`${NAME}-1.tar`);
    const asked = await build('build', 'honest', { run: 10, env, with: { to, handover: 'registry' } });
    expect(asked.exitCode).toBe(1);
    expect(asked.log).toContain('403');
  } finally {
    registry.mend();
  }
});
