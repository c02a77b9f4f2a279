// podman pulls an image of busybox from the command's own process and starts it, a second each; one podman for all.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { cliData, runCli, startCli, testImage } from '../../support/cli.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { copyFlake } from '../plan/kit.ts';

let podman: Podman;
let temp: TempDir;
let env: Record<string, string>;
let words: readonly string[];

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), uniqueTempDir('load')]);
  env = { ...podman.env, XDG_STATE_HOME: join(temp.path, 'state') };
  words = [...(await testImage('small', { salt: temp.path })), ...ONLY_X86];
});

afterAll(async () => {
  await Promise.all([podman?.remove(), temp?.remove()]);
});

interface Loaded {
  readonly image: string;
  readonly digest: string;
  readonly sentLayers: number;
  readonly layers: number;
}

/** What `podman images --digests` shows of an image. */
async function digestIn(image: string): Promise<string | undefined> {
  const { stdout } = await podman.run(['images', '--digests', '--format', '{{.Repository}}:{{.Tag}} {{.Digest}}']);
  const line = stdout.split('\n').find((each) => each.startsWith(`${image} `));
  return line?.slice(image.length + 1);
}

test('an image is loaded under its own name alone, once, and what it shares with another is not moved again', async () => {
  const trace = join(temp.path, 'trace.json');
  const loaded = await cliData<Loaded>(['load', ...words, '--timings', trace], { env });
  expect(loaded.image).toBe('localhost/test/small:latest');
  expect(loaded.sentLayers).toBe(loaded.layers);
  // Each layer is read once to be named, and once to be sent.
  const { traceEvents } = JSON.parse(await readFile(trace, 'utf8')) as { traceEvents: Record<string, unknown>[] };
  const titles = (track: string) => traceEvents.filter(({ cat }) => cat === track).map(({ name }) => name);
  expect(titles('layers')).toHaveLength(loaded.layers);
  expect(titles('sending').sort()).toEqual(['config', ...titles('layers')].sort());
  expect(await digestIn(loaded.image)).toBe(loaded.digest);
  const names = await podman.run(['images', '--format', '{{.Repository}}:{{.Tag}}']);
  expect(names.stdout.trim().split('\n')).toEqual([loaded.image]);
  const again = await Promise.all([1, 2].map(() => cliData<Loaded>(['load', ...words], { env })));
  expect(again.map(({ digest, sentLayers }) => [digest, sentLayers])).toEqual([
    [loaded.digest, 0],
    [loaded.digest, 0],
  ]);
  // Another config and name, and the same layers.
  const tagged = [...(await testImage('tagged', { salt: temp.path })), ...ONLY_X86];
  const other = await cliData<Loaded>(['load', ...tagged], { env });
  expect([other.image, other.sentLayers]).toEqual(['localhost/test/small:v7', 0]);
});

test('what is said of an image names the digest that podman shows, and that of the index as such', async () => {
  const { stdout, stderr } = await runCli(['load', ...words], { env });
  const shown = await digestIn('localhost/test/small:latest');
  expect(stdout).toContain(`localhost/test/small:latest is in podman as ${shown}: sent `);
  expect(stderr).toMatch(/test\/small:latest is the index (sha256:[0-9a-f]{64}): linux\/amd64 is /);
  expect(stderr).toContain(`linux/amd64 is ${shown}`);
});

test('a podman whose settings block this registry reads all of the image from a pipe, and has the same one', async () => {
  // As in a virtual machine, it fetches nothing of this registry.
  const conf = join(temp.path, 'registries.conf');
  await writeFile(conf, '[[registry]]\nlocation = "127.0.0.1"\nblocked = true\n');
  const elsewhere = { ...env, CONTAINERS_REGISTRIES_CONF: conf };
  const others = [...(await testImage('tagged', { salt: temp.path })), ...ONLY_X86];
  await podman.run(['rmi', '--all', '--force']);
  const read = await cliData<Loaded>(['load', ...others], { env: elsewhere });
  expect([read.image, read.sentLayers]).toEqual(['localhost/test/small:v7', read.layers]);
  expect(await digestIn(read.image)).toBe(read.digest);
  expect((await podman.run(['run', '--rm', '--pull=never', read.image])).exitCode).toBe(0);
  const again = await cliData<Loaded>(['load', ...others], { env: elsewhere });
  expect([again.digest, again.sentLayers]).toEqual([read.digest, 0]);
  const pulled = await cliData<Loaded>(['load', ...others], { env });
  expect([pulled.digest, pulled.sentLayers]).toEqual([read.digest, 0]);
});

test('run starts it, passes on what it says, its arguments and how it ends', async () => {
  const asProcess = 'the container has the standard output of the process';
  const plain = await runCli(['run', ...words], { env, asProcess });
  expect([plain.exitCode, plain.stdout], plain.stderr).toEqual([0, 'x86_64\n']);
  const failing = await runCli(['run', ...words, '--', '/bin/sh', '-c', 'echo "$0"; exit 7', ' two  words '], {
    env,
    asProcess,
  });
  expect([failing.exitCode, failing.stdout], failing.stderr).toEqual([7, ' two  words \n']);
});

test('a signal reaches the container, which says how the command ends', async () => {
  const script = 'trap "exit 5" TERM; echo up >&2; while :; do sleep 0.1; done';
  const running = startCli(['run', ...words, '--', '/bin/sh', '-c', script], { env });
  while (!running.stderr().endsWith('up\n')) {
    expect(running.process.exitCode, running.stderr()).toBeNull();
    await sleep(20);
  }
  running.process.kill('SIGTERM');
  expect((await running.ended).exitCode).toBe(5);
  expect((await podman.run(['ps', '--all', '--quiet'])).stdout).toBe('');
});

test('no engine', async () => {
  const none = await runCli(['load', ...words], { env: { ...env, PATH: '/nonexistent' } });
  expect(none.exitCode).toBe(2);
  expect(none.stderr).toContain(
    'no container engine can be used; looked for podman: cannot run podman: no such program; docker',
  );
});

test('of several images each is named as it is on the command line, not by its own name', async () => {
  const flake = await copyFlake('mkimage');
  onTestFinished(flake.remove);
  const several = await runCli(['load', flake.flake], { env });
  expect([several.exitCode, several.stderr]).toEqual([
    2,
    expect.stringContaining(`hint: Name one: ${flake.flake}#web, ${flake.flake}#worker.`),
  ]);
});
