// Debian's docker and containerd, unpacked and started as root: 55 MB of packages, and a few seconds for each daemon.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { crictlPath } from '../../../scripts/setup/go-tools.mjs';
import { cliData, runCli, startCli, testImage } from '../../support/cli.ts';
import { startRegistry } from '../../support/registry.ts';
import { ROOT } from '../../support/root.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
/** With the programs of the packages first. */
let path: string;
const daemons: ChildProcess[] = [];
/** What is mounted. */
const disks: string[] = [];

beforeAll(async () => {
  temp = await uniqueTempDir('daemons');
  // `_apt` may not write here, and apt says so.
  const fetched = await runProgram('apt-get', ['download', 'docker.io', 'containerd'], { cwd: temp.path });
  expect(fetched.exitCode, fetched.stderr).toBe(0);
  for (const name of await readdir(temp.path)) {
    const unpacked = await runProgram('dpkg-deb', ['--extract', join(temp.path, name), join(temp.path, 'root')]);
    expect(unpacked.exitCode, unpacked.stderr).toBe(0);
  }
  path = [join(temp.path, 'root/usr/bin'), join(temp.path, 'root/usr/sbin'), process.env.PATH].join(':');
}, 120_000);

afterAll(async () => {
  for (const daemon of daemons) {
    if (daemon.exitCode !== null) continue;
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  }
  for (const disk of disks) await runProgram('umount', ['--lazy', disk]);
  await temp.remove();
}, 60_000);

/** Starts a daemon that keeps everything in a folder of its own; `probe` succeeds once it answers. */
async function start(words: readonly string[], probe: readonly string[], env: Readonly<Record<string, string>>) {
  const [program = '', ...args] = words;
  const daemon = spawn(program, args, { env: { ...process.env, PATH: path }, stdio: ['ignore', 'ignore', 'pipe'] });
  daemons.push(daemon);
  let said = '';
  daemon.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-2000);
  });
  for (let left = 300; left > 0; left -= 1) {
    const [client = '', ...question] = probe;
    if ((await runProgram(client, question, { env })).exitCode === 0) return;
    expect(daemon.exitCode, said).toBeNull();
    await sleep(100);
  }
  throw new Error(`no answer: ${said}`);
}

async function startDocker(name: string, before: readonly string[] = []): Promise<Record<string, string>> {
  const folder = join(temp.path, name);
  await mkdir(folder, { recursive: true });
  // A machine's own settings are not for this one.
  await writeFile(join(folder, 'daemon.json'), '{}');
  const places = ['--data-root', `${folder}/root`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`];
  const plain = ['--config-file', `${folder}/daemon.json`, '--iptables=false', '--ip6tables=false', '--bridge=none'];
  const env = { PATH: path, DOCKER_HOST: `unix://${folder}/docker.sock`, XDG_STATE_HOME: join(temp.path, 'state') };
  await start([...before, 'dockerd', '--host', env.DOCKER_HOST, ...places, ...plain], ['docker', 'version'], env);
  return env;
}

interface Loaded {
  readonly image: string;
  readonly layers: number;
  readonly sentLayers: number;
}

async function loadTwice(engine: string, env: Readonly<Record<string, string>>): Promise<string> {
  const words = [...(await testImage('tagged', { salt: temp.path })), ...ONLY_X86, '--engine', engine];
  const first = await cliData<Loaded>(['load', ...words], { env });
  expect(first.sentLayers).toBe(first.layers);
  expect((await cliData<Loaded>(['load', ...words], { env })).sentLayers).toBe(0);
  return first.image;
}

test.each([
  ['on this network', []],
  // As docker has without root and in a virtual machine: its loopback address is another one.
  ['on a network of its own', ['unshare', '--net']],
])('docker %s has the image, and no other name', async (name, before) => {
  const env = await startDocker(name.replaceAll(' ', '-'), before);
  const image = await loadTwice('docker', env);
  const names = await runProgram('docker', ['images', '--all', '--format', '{{.Repository}}:{{.Tag}}'], { env });
  expect(names.stdout.trim()).toBe(image);
  const ran = await runProgram('docker', ['run', '--rm', '--network=none', image], { env });
  expect([ran.exitCode, ran.stdout], ran.stderr).toEqual([0, 'x86_64\n']);
});

/** Makes a folder of the given size; an image of busybox has 4 MB. */
async function smallDisk(folder: string, size: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const mounted = await runProgram('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder]);
  expect(mounted.exitCode, mounted.stderr).toBe(0);
  disks.push(folder);
}

test.each(['podman', 'docker'])('%s whose disk is full says so, and what to do', async (engine) => {
  const disk = join(temp.path, `full-${engine}`, 'root');
  await smallDisk(disk, engine === 'podman' ? '1500k' : '3m');
  const conf = join(temp.path, 'storage.conf');
  await writeFile(conf, `[storage]\ndriver = "vfs"\ngraphroot = "${disk}/graph"\nrunroot = "${disk}/run"\n`);
  const env = engine === 'podman' ? { CONTAINERS_STORAGE_CONF: conf } : await startDocker('full-docker');
  const words = [...(await testImage('small', { salt: temp.path })), ...ONLY_X86, '--engine', engine];
  const { exitCode, stderr } = await runCli(['load', ...words], { env });
  expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/^error: \w+ cannot load the image: .*no space left/m)]);
  expect(stderr).toContain('hint: Free space where the engine keeps its images');
});

/** Starts a containerd that looks for registries' settings in `certs.d` of its folder. */
async function startContainerd(
  name: string,
): Promise<{ folder: string; address: string; env: Record<string, string> }> {
  const folder = join(temp.path, name);
  await mkdir(folder);
  const address = `${folder}/c.sock`;
  const sockets = `[grpc]\naddress = "${address}"\n[ttrpc]\naddress = "${folder}/t.sock"\n`;
  const registries = `[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "${folder}/certs.d"\n`;
  const places = `version = 2\nroot = "${folder}/root"\nstate = "${folder}/state"\n`;
  await writeFile(join(folder, 'config.toml'), `${places}${sockets}${registries}`);
  const env = { PATH: path, CONTAINERD_ADDRESS: address, XDG_STATE_HOME: join(temp.path, 'state') };
  await start(['containerd', '--config', join(folder, 'config.toml')], ['ctr', 'version'], env);
  return { folder, address, env };
}

test('containerd has the image where Kubernetes looks', async () => {
  const { env } = await startContainerd('c');
  const image = await loadTwice('containerd', env);
  const images = await runProgram('ctr', ['--namespace', 'k8s.io', 'images', 'ls', '--quiet'], { env });
  // The name by which it was pulled is gone; the CRI plugin adds that of the config.
  expect(images.stdout.split('\n').filter((name) => name !== '' && !name.startsWith('sha256:'))).toEqual([image]);
  const ran = await runProgram('ctr', ['--namespace', 'k8s.io', 'run', '--rm', image, 'load-test'], { env });
  expect([ran.exitCode, ran.stdout], ran.stderr).toEqual([0, 'x86_64\n']);
});

// What docs/compression.md says of both: this docker is older than 23.
test('containerd pulls zstd and zstd:chunked and runs them; docker before 23 refuses both in the words of the page', async () => {
  const registry = await startRegistry();
  onTestFinished(() => registry.stop());
  const images = { 'zstd:chunked': 'smallChunked', zstd: 'smallZstd', gzip: 'small' };
  const references = new Map<string, string>();
  for (const [compression, name] of Object.entries(images)) {
    const reference = `${registry.host}/test/${name.toLowerCase()}:v1`;
    await cliData(['publish', ...(await testImage(name)), ...ONLY_X86, '--to', reference]);
    references.set(compression, reference);
  }
  const { env } = await startContainerd('z');
  const docker = await startDocker('docker-zstd');
  const page = await readFile(join(ROOT, 'docs/compression.md'), 'utf8');
  for (const [compression, reference] of references) {
    const ctr = (...words: string[]) => runProgram('ctr', ['--namespace', 'k8s.io', ...words], { env });
    const pulled = await ctr('images', 'pull', '--plain-http', reference);
    expect(pulled.exitCode, pulled.stderr).toBe(0);
    const ran = await ctr('run', '--rm', reference, `run-${compression.replace(':', '-')}`);
    expect([ran.exitCode, ran.stdout], ran.stderr).toEqual([0, 'x86_64\n']);
    // A layer whose content is there is not unpacked again.
    expect((await ctr('images', 'rm', '--sync', reference)).exitCode).toBe(0);

    const { exitCode, stderr } = await runProgram('docker', ['pull', reference], { env: docker });
    const message = 'archive/tar: invalid tar header';
    if (compression === 'gzip') expect(exitCode, stderr).toBe(0);
    else expect([exitCode, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(page).toContain(message);
  }
});

/** An address of this machine that is not the loopback one, as nodes of a cluster reach it. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const found = all.find(({ internal, family }) => !internal && family === 'IPv4');
  if (!found) throw new Error('this machine has no address but the loopback one');
  return found.address;
}

test('a kubelet has its images pulled from serve, with the settings of the page, and is told of an unknown tag', async () => {
  const { folder, address, env } = await startContainerd('k');
  const token = 'a-token-for-readers';
  const words = [...(await testImage('tagged', { salt: temp.path })), ...ONLY_X86];
  const serving = startCli(['serve', ...words, '--address', ownAddress(), '--port', '0'], {
    env: { XDG_STATE_HOME: join(temp.path, 'state'), NIX_IMAGES_READ_TOKEN: token },
  });
  onTestFinished(async () => {
    serving.process.kill('SIGINT');
    await serving.ended;
  });
  let host: string | undefined;
  while (host === undefined) {
    expect(serving.process.exitCode, serving.stderr()).toBeNull();
    await sleep(50);
    [, host] = /at http:\/\/(\S+) until/.exec(serving.stderr()) ?? [];
  }
  const page = await readFile(join(ROOT, 'docs/serve.md'), 'utf8');
  const [, settings = ''] = /```text\n# \/etc\/containerd[^\n]*\n([\s\S]*?)```/.exec(page) ?? [];
  await mkdir(join(folder, 'certs.d', host), { recursive: true });
  const its = settings.replaceAll('172.17.0.1:5000', host).replaceAll('TOKEN', token);
  await writeFile(join(folder, 'certs.d', host, 'hosts.toml'), its);
  const endpoint = ['--image-endpoint', `unix://${address}`, '--runtime-endpoint', `unix://${address}`];
  const crictl = (...args: string[]) => runProgram(crictlPath(), [...endpoint, ...args], { env });
  const pulled = await crictl('pull', `${host}/test/small:v7`);
  expect(pulled.exitCode, pulled.stderr).toBe(0);
  const unknown = await crictl('pull', `${host}/test/small:v9`);
  expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining(`${host}/test/small:v9: not found`)]);
  const image = ['--namespace', 'k8s.io', 'run', '--rm', `${host}/test/small:v7`, 'kubelet-test'];
  const ran = await runProgram('ctr', image, { env });
  expect([ran.exitCode, ran.stdout], ran.stderr).toEqual([0, 'x86_64\n']);
});
