import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { cliData, IMAGES } from '../../support/cli.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ONLY_X86, X86 } from '../../support/systems.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { passedTests, type Tried } from './nix-kit.ts';
import { standIn } from './utility-kit.ts';

// The python image as its definition promises it, of the packages of two releases of Debian.

const PACKAGES = ['bash', 'ca-certificates', 'netbase', 'patchelf', 'python3', 'tini', 'tzdata'];

let podman: Podman;
let temp: TempDir;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), uniqueTempDir('python')]);
});
afterAll(() => Promise.all([podman?.remove(), temp?.remove()]));

test.each<[string, () => Promise<string>]>([
  ["the machine's own release", () => debianPackages({ packages: PACKAGES, systems: [X86] })],
  ['Debian 13', () => standIn()],
])(
  'its tests pass, made of %s',
  async (_name, packages) => {
    const image = ['--file', join(IMAGES, 'python.nix'), '--attr', 'python', ...ONLY_X86];
    const nixArgs = ['--argstr', 'packages', await packages()].map((argument) => `--nix-arg=${argument}`);
    const to = `oci:${temp.path}/layout:${crypto.randomUUID()}`;
    const words = ['publish', ...image, ...nixArgs, '--to', to, '--require-tests'];
    expect(passedTests(await cliData<Tried>(words, { env: podman.env }))).toEqual([
      [
        'linux/amd64',
        [
          'ends when it is told to',
          'has a shell',
          'knows zones services and authorities',
          'restricted',
          'runs as anybody',
        ],
      ],
    ]);
  },
  // Where none of it is in the store, the packages are unpacked first.
  300_000,
);
