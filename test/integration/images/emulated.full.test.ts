import { expect, test } from 'vitest';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { cliData } from '../../support/cli.ts';
import { preparePodman } from '../../support/podman.ts';
import { ARM } from '../../support/systems.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { NIX_SSH_TESTS, NIX_TESTS, nixImage, passedTests, type Tried, useSuite } from './nix-kit.ts';
import { shippedImage, UTILITY_TESTS } from './utility-kit.ts';

// Images whose own tests take most of a minute under emulation. That images are tested so is test-run's to show.
useSuite('own');

test.each([
  ['nix', () => nixImage('nix'), NIX_TESTS],
  ['nix-ssh', () => nixImage('nixSsh'), NIX_SSH_TESTS],
  // With those of this machine, which unpack the others.
  ['utility', () => shippedImage(SYSTEMS), UTILITY_TESTS],
] as const)(
  'the image %s passes its own tests on AArch64',
  async (name, image, tests) => {
    await using podman = await preparePodman();
    await using temp = await uniqueTempDir(name);
    const words = ['publish', ...(await image()), '--system', ARM, '--to', `oci:${temp.path}/${name}:v1`];
    const published = await cliData<Tried>([...words, '--require-tests'], { env: podman.env });
    expect(passedTests(published)).toEqual([['linux/arm64', tests]]);
  },
  900_000,
);
