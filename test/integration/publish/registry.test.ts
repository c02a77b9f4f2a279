import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliData, type Published, testImage } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { cranePath, runProgram } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';

let lab: Lab;
let registry: Lab['registry'];
let podman: Lab['podman'];
let temp: Lab['temp'];

beforeAll(async () => {
  lab = await openLab('publish');
  ({ registry, podman, temp } = lab);
});

afterAll(() => lab?.close());

const succeed = async (program: string, args: readonly string[], env = {}): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram(program, args, { env });
  expect(stderr).not.toMatch(/\bfail(ed|ure)\b/i);
  expect(exitCode, stderr).toBe(0);
  return stdout.trim();
};

const MACHINES = [
  ['linux/amd64', 'x86_64'],
  ['linux/arm64', 'aarch64'],
] as const;

describe.each([
  ['gzip', 'small', 'tar+gzip'],
  ['zstd', 'smallZstd', 'tar+zstd'],
])('publish to a registry with %s', (codec, image, mediaType) => {
  let published: Published;
  let reference: string;

  beforeAll(async () => {
    reference = `${registry.host}/lab/${codec}`;
    published = await cliData([
      'publish',
      ...(await testImage(image)),
      '--to',
      `docker://${reference}:one`,
      '--tag',
      'two',
    ]);
  });

  test('skopeo reads an index of both platforms under every tag', async () => {
    for (const tag of ['one', 'two']) {
      const raw = await succeed('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${reference}:${tag}`]);
      const index = JSON.parse(raw);
      expect(index.mediaType).toBe('application/vnd.oci.image.index.v1+json');
      expect(index.manifests.map((child: { platform: unknown }) => child.platform)).toEqual([
        { architecture: 'amd64', os: 'linux' },
        { architecture: 'arm64', os: 'linux' },
      ]);
      expect(index.annotations).toEqual({ 'org.opencontainers.image.title': 'A small test image' });
    }
  });

  test('crane finds index, manifests and blobs right', async () => {
    // crane reads through gzip only; what is inside zstd layers, podman checks when it pulls them.
    const depth = codec === 'gzip' ? [] : ['--fast'];
    for (const name of [
      `${reference}:one`,
      `${reference}@${published.digest}`,
      ...published.platforms.map(({ digest }) => `${reference}@${digest}`),
    ]) {
      await expectValid(name, ...depth);
    }
  });

  test('layers have the media type of their codec', async () => {
    for (const { digest } of published.platforms) {
      const manifest = JSON.parse(await succeed(cranePath(), ['manifest', '--insecure', `${reference}@${digest}`]));
      for (const layer of manifest.layers)
        expect(layer.mediaType).toBe(`application/vnd.oci.image.layer.v1.${mediaType}`);
    }
  });

  test.each(MACHINES)('podman pulls %s by tag and by digest, and it runs', async (platform, machine) => {
    for (const name of [`${reference}:one`, `${reference}@${published.digest}`]) {
      const pull = await podman.run(['pull', '--quiet', '--tls-verify=false', '--platform', platform, name]);
      expect(pull.exitCode, pull.stderr).toBe(0);
      const { stdout } = await podman.run(['run', '--rm', '--platform', platform, pull.stdout.trim()]);
      expect(stdout.trim()).toBe(machine);
    }
  });

  test('publishing again gives the same digest and sends no blob', async () => {
    const again = await cliData<Published>(['publish', ...(await testImage(image)), '--to', `${reference}:three`]);
    expect(again.digest).toBe(published.digest);
    expect(again.destinations[0]?.bytesSent).toBe(0);
  });
});

describe('publish to files', () => {
  test.each(MACHINES)('podman loads a docker-archive for %s, and it runs under its name', async (platform, machine) => {
    const file = join(temp.path, `${machine}.tar`);
    const system = `${machine}-linux`;
    await cliData([
      'publish',
      ...(await testImage('small')),
      '--system',
      system,
      '--to',
      `docker-archive:${file}:lab/${machine}:v1`,
    ]);
    const load = await podman.run(['load', '--quiet', '--input', file]);
    expect(load.stdout).toContain(`lab/${machine}:v1`);
    const { stdout } = await podman.run(['run', '--rm', '--platform', platform, `lab/${machine}:v1`]);
    expect(stdout.trim()).toBe(machine);
  });

  test('an archive, a layout and a registry that are published to at once hold the same index', async () => {
    const layout = join(temp.path, 'layout');
    const archive = join(temp.path, 'image.oci.tar');
    const destinations = [`oci:${layout}:v1`, `oci-archive:${archive}:v1`, `${registry.host}/lab/all:v1`];
    const { digest } = await cliData<Published>([
      'publish',
      ...(await testImage('hello')),
      ...destinations.flatMap((to) => ['--to', to]),
    ]);
    for (const place of [`oci:${layout}:v1`, `oci-archive:${archive}:v1`, `docker://${registry.host}/lab/all:v1`]) {
      const inspected = JSON.parse(await succeed('skopeo', ['inspect', '--tls-verify=false', place]));
      expect(inspected.Digest, place).toBe(digest);
      expect(await cliData(['inspect', place])).toMatchObject({ digest, reference: place });
    }
    const { stdout, stderr } = await podman.run(['run', '--rm', '--tls-verify=false', `${registry.host}/lab/all:v1`]);
    expect(stdout.trim(), stderr).toBe('Hello, world!');
  });

  test("the definition's own tag is used when none is given, and the layout is named like the image", async () => {
    const { destinations } = await cliData<Published>(
      ['publish', ...(await testImage('tagged')), '--system', 'x86_64-linux'],
      { cwd: temp.path },
    );
    expect(destinations).toMatchObject([{ name: `oci:${temp.path}/small`, tags: ['v7'] }]);
  });
});
