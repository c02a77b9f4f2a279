// Processes of the program, which wait by the machine's clock while the cloud's goes ten minutes a second: some seconds, most of them idle.
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { startCloud } from '../../emulators/aws/cloud/emulator.ts';
import { variablesOf } from '../../emulators/aws/cloud/identities.ts';
import { startCli } from '../../support/cli.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { makeDisks } from './deploy-kit.ts';
import { expectAll, threeRegions } from './three-regions.ts';

/** Copies take half a second, and what nothing is written to is given up after six. */
const SPEED = 600;

let disks: TempDir;

beforeAll(async () => {
  disks = await uniqueTempDir('deploy-killed');
  await makeDisks(disks.path);
});

afterAll(() => disks?.remove());

async function startScene({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  const dir = await uniqueTempDir('deploy-killed');
  onTestFinished(() => dir.remove());
  for (const name of ['x64.raw', 'arm64.raw']) await copyFile(join(disks.path, name), join(dir.path, name));
  const begin = Date.now();
  const cloud = await startCloud({ now: () => begin + (Date.now() - begin) * SPEED, lags: 'none', keepsBlocks: true });
  onTestFinished(() => cloud.stop());
  // What is killed leaves its temporary folders.
  const env = { ...variablesOf(cloud.admin), AWS_ENDPOINT_URL: cloud.url, TMPDIR: dir.path };
  const options = { cwd: dir.path, env };
  const start = (journal: string, words: readonly string[] = threeRegions(dir.path)) =>
    startCli(['deploy-ami', ...words, '--state', '.', '--journal', journal], options);
  return { cloud, start };
}

test.concurrent.for<[string, string, number]>([
  ['the upload', 'ebs:PutSnapshotBlock', 6],
  ['the copies', 'ec2:CopyImage', 3],
  ['publishing', 'ec2:ModifyImageAttribute', 3],
])('kill -9 in the middle of %s: the next run ends it', async ([, verb, nth], context) => {
  const { cloud, start } = await startScene(context);
  const first = start('first.jsonl');
  const harm = () => {
    first.process.kill('SIGKILL');
    return { kind: 'silence' } as const;
  };
  const heal = cloud.state.faults.add({ verb, nth, times: 1e6, harm });
  const { exitCode, stderr } = await first.ended;
  expect(exitCode, stderr).toBe(-1);
  const { images, snapshots } = cloud.contents();
  expect(images.length + snapshots.length).toBeGreaterThan(0);
  heal();
  const second = await start('second.jsonl').ended;
  expect(second.exitCode, second.stderr).toBe(0);
  expectAll(cloud);
});

test.concurrent('SIGTERM while the instance of a smoke test runs: it is terminated, and nothing is left', async (context) => {
  const { cloud, start } = await startScene(context);
  const words = ['x86_64-linux=x64.raw', '--region', 'us-east-1', '--image', 'server', '--smoke-test'];
  const run = start('first.jsonl', words);
  let isStopped = false;
  cloud.state.console = () => {
    // A second signal would end it at once.
    if (!isStopped) run.process.kill('SIGTERM');
    isStopped = true;
    return 'it never comes up\n';
  };
  const { exitCode, stderr } = await run.ended;
  expect([isStopped, exitCode], stderr).toEqual([true, 130]);
  expect(stderr).toContain('SIGTERM: stopping');
  const instances = [...cloud.state.region('us-east-1').instances.values()];
  expect(instances.map(({ terminatedAt }) => terminatedAt !== undefined)).toEqual([true]);
  expect(cloud.contents()).toMatchObject({ images: [], snapshots: [], parameters: [], copies: [] });
  expect(cloud.violations).toEqual([]);
});
