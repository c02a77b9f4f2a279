import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseInstallable } from '../../../src/nix/installable.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { cliData } from '../../support/cli.ts';
import { nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { preparePodman } from '../../support/podman.ts';
import { ROOT } from '../../support/root.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { evaluateDefinition } from '../nix/fixture.ts';
import { podmanSays, pull, standIn, useSuite } from './nix-kit.ts';

// The flakes by which the readmes extend the images.
useSuite('own');

/** Stands in for nixpkgs where nothing is built: the stand-in of Debian packages would be copied at every evaluation. */
const NIXPKGS = `{
  outputs = _: rec {
    lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system:
      let package = name: derivation { inherit name system; builder = "/none"; };
      in lib.genAttrs [
        "bashInteractive" "busybox-sandbox-shell" "cacert" "coreutils" "curl" "findutils" "gitMinimal" "glibc" "gnugrep"
        "gnused" "gnutar" "gzip" "iana-etc" "jq" "less" "nix" "nix-ld" "openssh" "tini" "tzdata" "which" "xz"
      ] package // { stdenv = { hostPlatform = { inherit system; }; cc.cc.lib = package "gcc-lib"; }; });
  };
}`;

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('extended');
});
afterAll(() => temp?.remove());

/** The flake in a readme, in a folder of its own; fails when it has 15 lines or more. */
async function flakeOf(readme: string): Promise<string> {
  const text = await readFile(join(ROOT, 'nix/images', readme), 'utf8');
  const [, flake = ''] = /```nix flake\n(\{\n {2}inputs[^`]*)```/.exec(text) ?? [];
  expect(flake.trimEnd().split('\n').length).toBeLessThan(15);
  expect(flake).toContain('outputs');
  const folder = join(temp.path, readme);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'flake.nix'), flake);
  return folder;
}

test('the flakes are short and give images for both systems', async () => {
  const own = join(temp.path, 'own');
  const nixpkgs = join(temp.path, 'nixpkgs');
  for (const folder of [own, nixpkgs]) await mkdir(folder);
  for (const file of ['flake.nix', 'flake.lock']) await copyFile(join(ROOT, file), join(own, file));
  await cp(join(ROOT, 'nix'), join(own, 'nix'), { recursive: true });
  await writeFile(join(nixpkgs, 'flake.nix'), NIXPKGS);
  const inputs = { nixpkgs, 'nix-images': own };
  const nixArgs = Object.entries(inputs).flatMap(([input, path]) => ['--override-input', input, `path:${path}`]);
  const [version] = nixVersionsUnderTest();
  if (version === undefined) throw new Error('no Nix');
  const nix = await openNixUnderTest(version, { nixArgs });
  const flakes = { 'nix.md': ['ci', 'team/ci'], 'nix-ssh.md': ['builder', 'team/builder'] };
  for (const [readme, [image, name]] of Object.entries(flakes)) {
    const installable = parseInstallable(`path:${await flakeOf(readme)}#${image}`);
    for (const system of SYSTEMS) {
      const { definition } = await evaluateDefinition(nix, installable, system);
      expect(definition).toMatchObject({ name, system, includeNixDB: true });
    }
  }
  // The images that this repository publishes itself.
  for (const image of ['nix', 'nix-user', 'nix-daemon', 'nix-ssh']) {
    const { definition } = await evaluateDefinition(nix, parseInstallable(`path:${own}#${image}`), 'aarch64-linux');
    expect(definition.name).toBe(image);
  }
});

test('what one adds is in the image, beside what was there', { timeout: 900_000 }, async () => {
  await using podman = await preparePodman();
  // Called as Nix calls a flake, with the stand-in as nixpkgs.
  const file = join(temp.path, 'built.nix');
  await writeFile(
    file,
    `{ system }: ((import ${await flakeOf('nix.md')}/flake.nix).outputs {
      nixpkgs = {
        legacyPackages.\${system} = import ${await standIn()} { inherit system; };
        lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
      };
      nix-images.lib = (import ${ROOT}/nix { }).lib;
    }).nixImages.\${system}`,
  );
  const words = ['--file', file, '--attr', 'ci', ...ONLY_X86, '--test-with=none', '--to', `oci:${temp.path}/ci:v1`];
  await cliData(['publish', ...words], { env: podman.env });
  const image = await pull(podman, temp.path, 'ci:v1');
  const script = 'echo \'{ "a": "jq" }\' | jq -r .a; nix --version';
  expect(await podmanSays(podman, ['run', '--rm', '--network', 'none', image, 'sh', '-c', script])).toMatch(
    /^jq\nnix \(Nix\) \d/,
  );
});
