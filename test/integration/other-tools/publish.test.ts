import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliData, type Published, runCli } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { expectValid } from '../../support/valid.ts';
import { flakeImage } from './kit.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab('foreign');
});

afterAll(() => lab?.close());

const publish = async (flake: string, to: string, more: readonly string[] = ONLY_X86): Promise<Published> =>
  cliData(['publish', ...(await flakeImage(flake)), ...more, '--to', `${lab.registry.host}/${to}`], {
    env: { XDG_STATE_HOME: lab.temp.path },
  });

const run = async (reference: string, ...args: readonly string[]): Promise<string> => {
  const image = `docker://${lab.registry.host}/${reference}`;
  const { exitCode, stdout, stderr } = await lab.podman.run([
    'run',
    '--rm',
    '--tls-verify=false',
    ...args.slice(0, 1),
    image,
    ...args.slice(1),
  ]);
  expect(exitCode, stderr).toBe(0);
  return stdout.trim();
};

interface Manifest {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly mediaType: string;
  readonly config: { readonly mediaType: string; readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
}

const get = async (path: string): Promise<Buffer> => {
  const headers = { accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' };
  const response = await fetch(`http://${lab.registry.host}/v2/${path}`, { headers });
  return Buffer.from(await response.arrayBuffer());
};

/** The manifest of the only platform under a tag, and its config. */
const published = async (repository: string, tag: string) => {
  const index: Manifest = JSON.parse((await get(`${repository}/manifests/${tag}`)).toString());
  const manifest: Manifest = JSON.parse(
    (await get(`${repository}/manifests/${index.manifests?.[0]?.digest}`)).toString(),
  );
  const config = JSON.parse((await get(`${repository}/blobs/${manifest.config.digest}`)).toString());
  return { manifest, config };
};

describe.each([
  ['docker-archive', 1],
  ['docker-archive-gzip', 1],
  ['docker-layered', 2],
  ['stream', 2],
  ['nix2container', 2],
  ['oci-layout', 2],
  ['oci-archive', 2],
])('an image of %s', (flake, layers) => {
  test('is published and runs', async () => {
    const { platforms } = await publish(flake, `run/${flake}:v1`);
    expect(platforms).toMatchObject([{ platform: 'linux/amd64', layers }]);
    await expectValid(`${lab.registry.host}/run/${flake}:v1`);
    expect(await run(`run/${flake}:v1`)).toBe('x86_64');
    expect(
      await run(`run/${flake}:v1`, '--entrypoint=/bin/sh', '-c', 'read line < /etc/made-for; echo $FORMAT $line'),
    ).toBe('other made for amd64');
  });

  test('says of every layer what it is, and its config names the bytes', async () => {
    const { manifest, config } = await published(`run/${flake}`, 'v1');
    expect(manifest.config.mediaType).toBe('application/vnd.oci.image.config.v1+json');
    expect(manifest.layers).toHaveLength(layers);
    for (const [at, { mediaType, digest }] of manifest.layers.entries()) {
      expect(mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
      const tar = gunzipSync(await get(`run/${flake}/blobs/${digest}`));
      expect(config.rootfs.diff_ids[at]).toBe(`sha256:${createHash('sha256').update(tar).digest('hex')}`);
    }
  });

  test('is not sent again', async () => {
    const { digest } = await cliData<{ digest: string }>(['inspect', `${lab.registry.host}/run/${flake}:v1`]);
    const again = await publish(flake, `run/${flake}:v1`);
    expect(again.digest).toBe(digest);
    expect(again.destinations[0]?.bytesSent).toBe(0);
  });
});

test('an image for both systems is one index, and runs under emulation', async () => {
  const { platforms } = await publish('docker-layered', 'both/app:v1', []);
  expect(platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
  expect(await run('both/app:v1', '--platform=linux/arm64')).toBe('aarch64');
});

test('name and tag are those of the derivation, without its registry', async () => {
  const args = ['publish', ...(await flakeImage('docker-archive-gzip')), ...ONLY_X86];
  const { exitCode, stdout, stderr } = await runCli(args, {
    cwd: lab.temp.path,
    env: { XDG_STATE_HOME: lab.temp.path },
  });
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(/oci:.*app:1\.0/);
  expect(stderr).toMatch(/test\/app: the registry ghcr\.io in its imageName is left out/);
});

test('build hands an image over, and publish takes it', async () => {
  const out = `${lab.temp.path}/handover`;
  await cliData(['build', ...(await flakeImage('stream')), ...ONLY_X86, '--out', out], {
    env: { XDG_STATE_HOME: lab.temp.path },
  });
  const to = `${lab.registry.host}/handed/app:v1`;
  await cliData(['publish', '--from', out, '--to', to, '--allow-missing'], { env: { XDG_STATE_HOME: lab.temp.path } });
  expect(await run('handed/app:v1')).toBe('x86_64');
});
