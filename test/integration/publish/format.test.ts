import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliData, type Published } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { ROOT } from '../../support/root.ts';
import { runProgram } from '../../support/tools.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab('format');
});

afterAll(() => lab?.close());

const ACCEPT = [
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

interface Stored {
  readonly mediaType: string;
  readonly manifests: readonly { readonly digest: string }[];
  readonly config: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string }[];
}

const get = async (path: string): Promise<Stored> => {
  const response = await fetch(`http://${lab.registry.host}/v2/docker/app/${path}`, {
    headers: { accept: ACCEPT.join(', ') },
  });
  expect(response.status, path).toBe(200);
  return (await response.json()) as Stored;
};

const publish = async (command: string): Promise<Published> => {
  const file = join(lab.temp.path, 'app.nix');
  await writeFile(
    file,
    `(import ${ROOT}/nix/lib).mkImage {
      name = "app"; system = "x86_64-linux"; format = "docker"; created = 1769860800;
      files."/a".text = "text";
      config = { Cmd = [ "${command}" ]; Shell = [ "/bin/bash" "-c" ]; OnBuild = [ "RUN true" ]; Healthcheck.Test = [ "CMD" "/a" ]; };
    }`,
  );
  return cliData(['publish', '--file', file, '--to', `${lab.registry.host}/docker/app:v1`], {
    env: { XDG_STATE_HOME: lab.temp.path },
  });
};

test("an image in Docker's format has Docker's media types, and is unchanged and reused like others", async () => {
  const first = await publish('one');
  const index = await get('manifests/v1');
  const manifest = await get(`manifests/${index.manifests[0]?.digest}`);
  const config = await get(`blobs/${manifest.config.digest}`);
  const layer = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  expect(index.mediaType).toBe(ACCEPT[0]);
  expect(index.manifests).toMatchObject([{ mediaType: ACCEPT[1], platform: { architecture: 'amd64', os: 'linux' } }]);
  expect(manifest).toMatchObject({ mediaType: ACCEPT[1], layers: [{ mediaType: layer }] });
  expect(manifest.config.mediaType).toBe('application/vnd.docker.container.image.v1+json');
  expect(config).toMatchObject({
    created: '2026-01-31T12:00:00Z',
    config: { Shell: ['/bin/bash', '-c'], OnBuild: ['RUN true'], Healthcheck: { Test: ['CMD', '/a'] } },
  });
  const again = await publish('one');
  expect(again.digest).toBe(first.digest);
  expect(again.destinations[0]?.bytesSent).toBe(0);
  await publish('two').then(async ({ digest, destinations }) => {
    const child = (await get(`manifests/${digest}`)).manifests[0]?.digest;
    const changed = await get(`manifests/${child}`);
    expect(changed.layers).toEqual(manifest.layers);
    expect(destinations[0]?.bytesSent).toBe(changed.config.size);
  });
  const { images } = await cliData<{ images: { platform: string }[] }>([
    'inspect',
    `${lab.registry.host}/docker/app:v1`,
  ]);
  expect(images.map(({ platform }) => platform)).toEqual(['linux/amd64']);
});

test('an image that is unchanged keeps the time of the run that made it', async () => {
  const file = join(lab.temp.path, 'timed.nix');
  await writeFile(
    file,
    `(import ${ROOT}/nix/lib).mkImage { name = "app"; system = "x86_64-linux"; files."/a".text = "a"; }`,
  );
  const timed = (more: readonly string[], env = {}): Promise<Published> =>
    cliData(['publish', '--file', file, '--to', `${lab.registry.host}/timed/app:v1`, ...more], {
      env: { XDG_STATE_HOME: lab.temp.path, ...env },
    });
  const timeIn = async (digest: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await runProgram('skopeo', [
      'inspect',
      '--tls-verify=false',
      '--config',
      `docker://${lab.registry.host}/timed/app@${digest}`,
    ]);
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout).created;
  };
  const first = await timed(['--created', '2026-01-31T12:00:00Z']);
  expect(await timeIn(first.digest)).toBe('2026-01-31T12:00:00Z');
  const again = await timed([], { SOURCE_DATE_EPOCH: '1800000000' });
  expect(again.digest).toBe(first.digest);
  expect(again.destinations[0]?.bytesSent).toBe(0);
  expect(await timeIn((await timed(['--no-reuse'], { SOURCE_DATE_EPOCH: '1800000000' })).digest)).toBe(
    '2027-01-15T08:00:00Z',
  );
});

test("podman and skopeo take Docker's format as it is", async () => {
  const reference = `${lab.registry.host}/docker/app:v1`;
  const { exitCode, stderr } = await runProgram('skopeo', [
    '--insecure-policy',
    'copy',
    '--src-tls-verify=false',
    `docker://${reference}`,
    `dir:${join(lab.temp.path, 'dir')}`,
  ]);
  expect(exitCode, stderr).toBe(0);
  const pulled = await lab.podman.run(['pull', '--tls-verify=false', reference]);
  expect(pulled.exitCode, pulled.stderr).toBe(0);
  const shown = await lab.podman.run(['image', 'inspect', reference]);
  expect(shown.stdout).toMatch(/"Healthcheck": \{\s*"Test": \[\s*"CMD",\s*"\/a"/);
});
