import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliData, type Published, runCli, testImage } from '../../support/cli.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { cranePath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';

// Layers that a program outside the engine compresses.

let registry: RunningRegistry;
let temp: TempDir;

beforeAll(async () => {
  [registry, temp] = await Promise.all([startRegistry(), uniqueTempDir('programs')]);
});

afterAll(async () => {
  await Promise.all([registry?.stop(), temp?.remove()]);
});

const publish = async (image: string, to: string, ...flags: string[]): Promise<Published> =>
  cliData(['publish', ...(await testImage(image)), ...ONLY_X86, '--to', to, ...flags]);

interface Manifest {
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
}

const manifestOf = async (reference: string): Promise<Manifest> => {
  const args = ['manifest', '--insecure', '--platform', 'linux/amd64', reference];
  return JSON.parse((await runProgram(cranePath(), args)).stdout);
};

describe.each([
  ['igzip', 'smallIgzip'],
  ['pigz', 'smallPigz'],
])('publish with %s', (program, image) => {
  test('makes an image that crane and skopeo find right, with ordinary gzip layers', async () => {
    const reference = `${registry.host}/lab/${program}:v1`;
    await publish(image, reference);
    await expectValid(reference);
    // skopeo unpacks every layer on the way and compares the diffIDs.
    const copy = await runProgram('skopeo', [
      ...['--override-os', 'linux', '--override-arch', 'amd64', 'copy', '--src-tls-verify=false'],
      ...[`docker://${reference}`, `docker-archive:${temp.path}/${program}.tar`],
    ]);
    expect(copy.exitCode, copy.stderr).toBe(0);
    const { layers } = await manifestOf(reference);
    expect(new Set(layers.map(({ mediaType }) => mediaType))).toEqual(
      new Set(['application/vnd.oci.image.layer.v1.tar+gzip']),
    );
  });

  test('takes over the layers of gzip as they are, and makes its own when asked to', async () => {
    const reference = `${registry.host}/lab/was-gzip-${program}:v1`;
    await publish('small', reference);
    const before = await manifestOf(reference);
    await publish(image, reference);
    expect((await manifestOf(reference)).layers).toEqual(before.layers);
    await publish(image, reference, '--recompress');
    const digests = (manifest: Manifest) => manifest.layers.map(({ digest }) => digest);
    expect(digests(await manifestOf(reference))).not.toEqual(digests(before));
  });
});

test('without the program, publish stops and says which package has it', async () => {
  // Nix stays, the rest of PATH goes.
  const nix = await runProgram('sh', ['-c', 'for name in nix nix-store node; do command -v $name; done']);
  const bin = `${temp.path}/bin`;
  await runProgram('sh', ['-c', 'mkdir "$0" && ln -s "$@" "$0"', bin, ...nix.stdout.trim().split('\n')]);
  const reference = `${registry.host}/lab/missing:v1`;
  const args = ['publish', ...(await testImage('smallIgzip')), ...ONLY_X86, '--to', reference];
  const { exitCode, stderr } = await runCli(args, {
    env: { PATH: bin },
    asProcess: 'the threads of layers look for programs along the PATH of their process',
  });
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toContain('cannot run igzip: no such program');
  expect(stderr).toContain('isal (Debian, Ubuntu) or isa-l (nixpkgs)');
  expect((await runProgram(cranePath(), ['manifest', '--insecure', reference])).exitCode).not.toBe(0);
});
