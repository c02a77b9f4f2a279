import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import type { StandInDisk } from '../../support/stand-in-disk.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';
import { flakeInputs } from './flake-inputs.ts';
import { writeFiles } from './repository.ts';

/** By name, something of each that may change. */
type Images = Readonly<Record<string, string>>;

interface Outputs {
  readonly images: Images;
  readonly disk?: ConsumerDisk | undefined;
}

/** A disk of the flake for x86-64: its packed file (base64), as another tool would make it, or what mkDisk is to make it of, in the store already. */
export type ConsumerDisk = string | StandInDisk;

/** Text of Nix for what JSON can say. */
const nixText = (value: unknown): string =>
  `(builtins.fromJSON ${JSON.stringify(JSON.stringify(value)).replaceAll('${', '\\${')})`;

/** Its ESP is as small as FAT32 can be. */
const definedDisk = ({ definition: { boot, storeRoots, tools } }: StandInDisk): string => {
  const { loader, ...parts } = boot;
  const partitions = { esp: { sizeMiB: 64 }, root: { sizeMiB: 64 } };
  const given = { name: 'vm', system: 'x86_64-linux', store: storeRoots, boot: parts, tools, partitions };
  if (loader !== 'uki') throw new RangeError('the stand-in disk boots a unified kernel image');
  return `    diskImages.x86_64-linux.vm = nix-images.lib.mkDisk ${nixText(given)};
`;
};

const diskOutput = (disk: ConsumerDisk): string => (typeof disk === 'string' ? packedDisk(disk) : definedDisk(disk));

/** It needs two small builds; the second refers to the first, which is kept in a cache for that. */
const packedDisk = (disk: string): string => `    diskImages.x86_64-linux.vm = derivation {
      name = "vm";
      system = "x86_64-linux";
      builder = "\${nixpkgs.legacyPackages.x86_64-linux.busybox}/bin/busybox";
      args = [ "sh" "-c" "$busybox mkdir $out; $busybox base64 -d $diskPath > $out/vm.raw.zst" ];
      busybox = "\${nixpkgs.legacyPackages.x86_64-linux.busybox}/bin/busybox";
      disk = "${disk}";
      passAsFile = [ "disk" ];
      tool = derivation {
        name = "vm-tool";
        system = "x86_64-linux";
        builder = "\${nixpkgs.legacyPackages.x86_64-linux.busybox}/bin/sh";
        args = [ "-c" "echo $library > $out" ];
        library = derivation {
          name = "vm-library-${createHash('sha256').update(disk).digest('hex').slice(0, 16)}";
          system = "x86_64-linux";
          builder = "\${nixpkgs.legacyPackages.x86_64-linux.busybox}/bin/sh";
          args = [ "-c" "echo $name > $out" ];
        };
      };
    } // { config = { }; filePath = "vm.raw.zst"; };
`;

/** A user's flake: packages from Debian in nixpkgs' place, mkImage from the release itself. */
const flakeText = (packages: string, release: string, { images, disk }: Outputs): string => `{
  ${flakeInputs(packages, release)}

  outputs = { nixpkgs, nix-images, ... }: {
${disk === undefined ? '' : diskOutput(disk)}    nixImages = builtins.mapAttrs (system: pkgs: {
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

/**
 * Files of a user's repository whose flake has images for both systems, locked. `release` is the release tree; what is said of
 * an image may be an antiquotation.
 */
export const consumerFlake = async (
  release: string,
  images: Images = { app: '' },
  disk?: ConsumerDisk,
): Promise<Record<string, string>> => lockedFlake(flakeText(await debianPackages(), release, { images, disk }));

/** flake.nix and its flake.lock. */
export async function lockedFlake(text: string): Promise<{ 'flake.nix': string; 'flake.lock': string }> {
  await using folder = await uniqueTempDir('consumer');
  await writeFiles(folder.path, { 'flake.nix': text });
  const words = ['--extra-experimental-features', 'nix-command flakes', 'flake', 'lock', `path:${folder.path}`];
  const { exitCode, stderr } = await runProgram('nix', words, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  if (exitCode !== 0) throw new Error(`nix flake lock: ${stderr}`);
  return { 'flake.nix': text, 'flake.lock': await readFile(join(folder.path, 'flake.lock'), 'utf8') };
}
