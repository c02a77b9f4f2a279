import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';
import { writeFiles } from './repository.ts';

/** By name, something of each that may change. */
type Images = Readonly<Record<string, string>>;

/** A user's flake: packages from Debian in nixpkgs' place, mkImage from the release itself. */
const flakeText = (packages: string, release: string, images: Images): string => `{
  inputs.nixpkgs.url = "path:${packages}";
  inputs.nix-images.url = "path:${release}";
  inputs.nix-images.inputs.nixpkgs.follows = "nixpkgs";

  outputs = { nixpkgs, nix-images, ... }: {
    nixImages = builtins.mapAttrs (system: pkgs: {
${Object.entries(images)
  .map(
    ([name, note]) => `      ${name} = nix-images.lib.mkImage {
        name = "${name}";
        copyToRoot = [ pkgs.busybox ];
        config.Cmd = [ "\${pkgs.busybox}/bin/uname" "-m" ];
        config.Labels.note = "${note}";
      };
`,
  )
  .join('')}    }) nixpkgs.legacyPackages;
  };
}
`;

/** Files of a user's repository whose flake has images for both systems, locked. `release` is the release tree. */
export async function consumerFlake(release: string, images: Images = { app: '' }): Promise<Record<string, string>> {
  await using folder = await uniqueTempDir('consumer');
  await writeFiles(folder.path, { 'flake.nix': flakeText(await debianPackages(), release, images) });
  const words = ['--extra-experimental-features', 'nix-command flakes', 'flake', 'lock', `path:${folder.path}`];
  const { exitCode, stderr } = await runProgram('nix', words, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  if (exitCode !== 0) throw new Error(`nix flake lock: ${stderr}`);
  const names = ['flake.nix', 'flake.lock'];
  const texts = await Promise.all(names.map((name) => readFile(join(folder.path, name), 'utf8')));
  return Object.fromEntries(names.map((name, at) => [name, texts[at] ?? '']));
}
