// Real clients pull from a real process, both systems, so it takes seconds; all tests share one flake and one podman.
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sha256 } from '../../support/bytes.ts';
import { type RunningCli, runCli, startCli, testImage } from '../../support/cli.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { withRootfs } from '../../support/rootfs.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { cranePath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { flakeImage } from '../other-tools/kit.ts';
import { copyFlake, type FlakeCopy } from '../plan/kit.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';

let flake: FlakeCopy;
let podman: Podman;
let temp: TempDir;
let state: Record<string, string>;
let serving: RunningCli;
let host: string;

/** Starts to serve on a free port, and waits until it is up. */
async function startServe(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const running = startCli(['serve', '--port', '0', ...args], { env: { ...state, ...env } });
  for (;;) {
    const [, address] = /at http:\/\/(\S+) until/.exec(running.stderr()) ?? [];
    if (address !== undefined) return { running, address };
    if (running.process.exitCode !== null) throw new Error(running.stderr());
    await setTimeout(20);
  }
}

async function stop({ process, ended }: RunningCli) {
  process.kill('SIGINT');
  return await ended;
}

beforeAll(async () => {
  [flake, podman, temp] = await Promise.all([copyFlake('mkimage'), preparePodman(), uniqueTempDir('serve')]);
  state = { XDG_STATE_HOME: join(temp.path, 'state'), TMPDIR: temp.path };
  const { running, address } = await startServe([flake.flake]);
  [serving, host] = [running, address];
});

afterAll(async () => {
  if (serving) await stop(serving);
  await Promise.all([flake?.remove(), podman?.remove(), temp?.remove()]);
});

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://${host}/v2/${path}`, { headers: { accept: INDEX, ...headers } });

const digestOf = async (image: string): Promise<string | null> =>
  (await get(`${image.replace(':', '/manifests/')}`)).headers.get('docker-content-digest');

interface Document {
  readonly manifests: { digest: string; platform: { architecture: string } }[];
  readonly config: { digest: string };
  readonly layers: { digest: string; size: number; mediaType: string }[];
  readonly rootfs: { diff_ids: string[] };
}

const json = async <T>(path: string): Promise<T> => (await (await get(path)).json()) as T;
const read = (path: string): Promise<Document> => json(path);

test('crane, skopeo and podman pull both systems, by tag and by digest, and what they get is what the store holds', async () => {
  const { manifests } = await read('team/web/manifests/v1');
  expect(manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
  // crane takes layers that are compressed for granted when it validates, and not when it pulls.
  const crane = await runProgram(cranePath(), ['pull', '--format=oci', `${host}/team/web:v1`, `${temp.path}/crane`]);
  expect(crane.exitCode, crane.stderr).toBe(0);
  const layout = [
    'copy',
    '--all',
    '--src-tls-verify=false',
    `docker://${host}/team/web`,
    `oci:${temp.path}/layout:web`,
  ];
  const skopeo = await runProgram('skopeo', layout);
  expect(skopeo.exitCode, skopeo.stderr).toBe(0);
  for (const { digest, platform } of manifests) {
    const image = `${host}/team/web@${digest}`;
    const text = await withRootfs(podman, image, async (root) =>
      readFile(join(root, await readlink(join(root, 'web'))), 'utf8'),
    );
    expect(text).toBe(`web ${platform.architecture === 'amd64' ? 'x86_64' : 'aarch64'}-linux\n`);
  }
});

test('layers are the plain tars whose compressed bytes are published, whole and from any byte on', async () => {
  const { manifests } = await read('worker/manifests/latest');
  const { layers, config } = await read(`worker/manifests/${manifests[0]?.digest}`);
  const out = join(temp.path, 'published');
  const published = await runCli([
    'publish',
    `${flake.flake}#worker`,
    '--system',
    'x86_64-linux',
    '--to',
    `oci:${out}`,
  ]);
  expect(published.exitCode, published.stderr).toBe(0);
  const { diff_ids: diffIds } = (await read(`worker/blobs/${config.digest}`)).rootfs;
  const stored = await runProgram('skopeo', ['inspect', '--config', '--raw', `oci:${out}:latest`]);
  expect(JSON.parse(stored.stdout || JSON.stringify(stored.stderr)).rootfs.diff_ids).toEqual(diffIds);
  for (const [at, { digest, size, mediaType }] of layers.entries()) {
    expect([digest, mediaType]).toEqual([diffIds[at], 'application/vnd.oci.image.layer.v1.tar']);
    const whole = Buffer.from(await (await get(`worker/blobs/${digest}`)).arrayBuffer());
    expect([sha256(whole), whole.length]).toEqual([digest, size]);
    for (const [from, to] of [
      [0, 0],
      [511, 1024],
      [size - 1025, size - 1],
    ] as const) {
      const part = await get(`worker/blobs/${digest}`, { range: `bytes=${from}-${to}` });
      expect(part.status).toBe(206);
      expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(from, to + 1))).toBe(true);
    }
  }
});

test('a changed flake is a new digest; one that breaks leaves the last good image, and the error is shown', async () => {
  const first = await digestOf('worker:latest');
  const other = await digestOf('team/web:latest');
  await flake.write('note.nix', '"second"');
  const second = await digestOf('worker:latest');
  expect(second).not.toBe(first);
  expect(await digestOf('team/web:latest')).toBe(other);
  // Whoever is in the middle of the one before goes on.
  expect((await get(`worker/manifests/${first}`)).status).toBe(200);
  await flake.write('note.nix', 'syntax error ;');
  expect(await digestOf('worker:latest')).toBe(second);
  expect(serving.stderr()).toMatch(/worker: .*syntax error[\s\S]*; still serving the image before, sha256:/);
  await flake.write('note.nix', '"first"');
  expect(await digestOf('worker:latest')).toBe(first);
});

test('images of other tools, and layers of a base, are served as they are', async () => {
  const { manifests } = await read('team/web/manifests/v1');
  const base = `${host}/team/web@${manifests[0]?.digest}`;
  const below = await read(`team/web/manifests/${manifests[0]?.digest}`);
  const over = await startServe([...(await testImage('onBase', { base })), ...ONLY_X86]);
  const tool = await startServe([...(await flakeImage('docker-layered')), ...ONLY_X86]);
  onTestFinished(async () => void (await Promise.all([over, tool].map(({ running }) => stop(running)))));
  const pulled = async ({ address }: { address: string }, name: string): Promise<Document> => {
    const image = `${address}/test/${name}`;
    // Every blob is compared with its digest on the way.
    const copy = ['copy', '--src-tls-verify=false', `docker://${image}`, `oci:${temp.path}/${name}`];
    const { exitCode, stderr } = await runProgram('skopeo', copy);
    expect(exitCode, stderr).toBe(0);
    const of = async (reference: string): Promise<Document> =>
      (await (await fetch(`http://${address}/v2/test/${name}/manifests/${reference}`)).json()) as Document;
    return of((await of('latest')).manifests[0]?.digest ?? '');
  };
  const { layers } = await pulled(over, 'on-base');
  expect(layers.slice(0, below.layers.length).map(({ digest }) => digest)).toEqual(
    below.layers.map(({ digest }) => digest),
  );
  expect(layers.length).toBeGreaterThan(below.layers.length);
  const archive = await pulled(tool, 'app');
  expect(archive.layers.map(({ mediaType }) => mediaType)).toContain('application/vnd.oci.image.layer.v1.tar');
});

test('an unknown tag or name is a 404 that the client shows', async () => {
  const { exitCode, stderr } = await podman.run(['pull', '--tls-verify=false', `${host}/worker:v9`]);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain('worker has no tag v9; it has latest');
  expect(await json('nothing/manifests/v1')).toMatchObject({ errors: [{ code: 'NAME_UNKNOWN' }] });
  expect(await json('_catalog')).toEqual({ repositories: ['team/web', 'worker'] });
});

describe('another process', () => {
  test('knows the layers, gives the same digest, and with a token serves only who has it', async () => {
    const token = 'a-token-for-readers';
    const again = await startServe([flake.flake, ...ONLY_X86], { NIX_IMAGES_READ_TOKEN: token });
    onTestFinished(async () => void (await stop(again.running)));
    expect((await fetch(`http://${again.address}/v2/`)).status).toBe(401);
    const raw = [
      'inspect',
      '--raw',
      '--tls-verify=false',
      '--creds',
      `me:${token}`,
      `docker://${again.address}/worker`,
    ];
    const { stdout, stderr } = await runProgram('skopeo', raw);
    const { manifests } = JSON.parse(stdout || JSON.stringify(stderr));
    const before = await read('worker/manifests/latest');
    expect(manifests).toEqual(before.manifests.slice(0, 1));
    expect(serving.stderr()).toMatch(/Reading the layers of worker/);
    expect(again.running.stderr()).not.toMatch(/Reading the layers/);
    expect(again.running.stderr()).not.toContain(token);
  });

  test('cannot have the same port, nor an address of other machines without a token', async () => {
    const [port] = host.split(':').slice(-1);
    const taken = await runCli(['serve', `${flake.flake}#worker`, '--port', `${port}`]);
    expect(taken.exitCode).toBe(2);
    expect(taken.stderr).toContain(`cannot listen on 127.0.0.1, port ${port}: the port is in use`);
    const open = await runCli(['serve', flake.flake, '--address', '0.0.0.0']);
    expect(open.exitCode).toBe(2);
    expect(open.stderr).toContain('0.0.0.0 can be reached from other machines, so readers need a token');
    const short = await runCli(['serve', flake.flake], { env: { NIX_IMAGES_READ_TOKEN: 'short' } });
    expect(short.stderr).toContain('the token is not valid');
  });
});

test('Ctrl-C ends it, and nothing of it stays in the temporary folder', async () => {
  await mkdir(join(temp.path, 'own'));
  const { running } = await startServe([flake.flake], { TMPDIR: join(temp.path, 'own') });
  const { exitCode, stdout } = await stop(running);
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^127\.0\.0\.1:\d+ is no longer served\n$/)]);
  expect(await readdir(join(temp.path, 'own'))).toEqual([]);
});
