import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { cliData, IMAGES, type Published } from '../../support/cli.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { standIn } from './utility-kit.ts';

// The python image as its definition promises it, of the packages of two releases of Debian.

interface Tried extends Published {
  readonly platforms: readonly (Published['platforms'][number] & {
    readonly tests: { readonly passed: readonly { readonly name: string }[] };
  })[];
}

const PACKAGES = ['bash', 'ca-certificates', 'netbase', 'patchelf', 'python3', 'tini', 'tzdata'];

let podman: Podman;
let temp: TempDir;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), uniqueTempDir('python')]);
});
afterAll(() => Promise.all([podman?.remove(), temp?.remove()]));

test.each<[string, () => Promise<string>]>([
  ["the machine's own release", () => debianPackages({ packages: PACKAGES })],
  ['Debian 13', standIn],
])(
  'its tests pass, made of %s',
  async (_name, packages) => {
    const image = ['--file', join(IMAGES, 'python.nix'), '--attr', 'python', '--system', 'x86_64-linux'];
    const nixArgs = ['--argstr', 'packages', await packages()].map((argument) => `--nix-arg=${argument}`);
    const to = `oci:${temp.path}/layout:${crypto.randomUUID()}`;
    const words = ['publish', ...image, ...nixArgs, '--to', to, '--require-tests'];
    const { platforms } = await cliData<Tried>(words, { env: podman.env });
    expect(platforms.map(({ tests }) => tests.passed.map(({ name }) => name))).toEqual([
      [
        'ends when it is told to',
        'has a shell',
        'knows zones services and authorities',
        'restricted',
        'runs as anybody',
      ],
    ]);
  },
  // Where none of it is in the store, the packages are unpacked first.
  300_000,
);
