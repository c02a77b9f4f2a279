import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { actionlintPath } from '../../../scripts/setup/go-tools.mjs';
import type { Snippet } from '../../support/pages.ts';
import { ROOT } from '../../support/root.ts';
import { readTree } from '../../support/source-files.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

const indented = (text: string, by: number): string => text.replaceAll(/^(?=.)/gm, ' '.repeat(by));

const ON_PUSH = 'on: push\npermissions: {}\njobs:\n';
const JOB = `${ON_PUSH}  job:\n    runs-on: ubuntu-latest\n    steps:\n`;
const CALL = `${ON_PUSH}  images:\n    permissions: { contents: read, packages: write }\n    uses: org/nix-images/.github/workflows/images.yml@v1\n`;

/** `with:` and `secrets:` of a call as a page shows them; `to`, which every call must have, is added where it does not. */
const asCall = (text: string): string => {
  const whole = /^with:$/m.test(text) ? text : `with:\n${text}`;
  return CALL + indented(/^ +to:/m.test(whole) ? whole : whole.replace(/^with:$/m, 'with:\n  to: ghcr.io/org/app'), 4);
};

/** A snippet as a whole workflow, for actionlint. */
const asWorkflow = ({ kind, text }: Snippet): string => {
  if (kind === 'yaml steps') return JOB + indented(text, 6);
  if (kind === 'yaml tags') return asCall(`with:\n${indented(text, 2)}`);
  return kind === 'yaml call' ? asCall(text) : text;
};

/**
 * What actionlint says of snippets, those of `org/nix-images` being the repository's own: so it knows every input, secret and
 * output of the actions and of the workflows.
 */
export async function lintWorkflows(snippets: readonly Snippet[]): Promise<string> {
  await using folder = await uniqueTempDir('pages');
  const to = join(folder.path, '.github/workflows');
  await cp(join(ROOT, 'workflows'), to, { recursive: true });
  for (const { path } of (await readTree('actions')).filter((file) => file.path.endsWith('/action.yml'))) {
    const name = dirname(path).replace('actions/', '');
    const target = join(folder.path, name === 'root' ? '.' : name);
    await mkdir(target, { recursive: true });
    await cp(join(ROOT, path), join(target, 'action.yml'));
    for (const script of ['main.mjs', 'post.mjs']) await writeFile(join(target, script), '');
  }
  const files: string[] = [];
  for (const snippet of snippets) {
    const file = join(to, `${snippet.at.replaceAll(/[^\w.-]/g, '_')}.yml`);
    await writeFile(
      file,
      asWorkflow(snippet)
        .replaceAll(/org\/nix-images(\/[\w./-]+)?@(?:v1|[0-9a-f]{40})\b/g, '.$1')
        .replaceAll(/uses: \.$/gm, 'uses: ./'),
    );
    files.push(file);
  }
  await runProgram('git', ['init', '--quiet'], { cwd: folder.path });
  const options = ['-no-color', '-oneline', '-shellcheck=', '-pyflakes='];
  return (await runProgram(actionlintPath(), [...options, ...files], { cwd: folder.path })).stdout;
}

/** What mkDisk takes of a package set. */
const DISK_PACKAGES = ['systemd', 'systemdUkify', 'dosfstools', 'mtools', 'e2fsprogs'];

/** Names of packages that a text takes out of nixpkgs. */
const packagesIn = (text: string): string[] =>
  [...text.matchAll(/\bpkgs\.([A-Za-z][\w-]*)/g)].map(([, name = '']) => name);

/** Stands in for nixpkgs: the packages that are named, none of which could be built, and what builds others. */
const standIn = (names: readonly string[]): string => `system: let
  package = name: derivation { inherit name system; builder = "/none"; } // {
    stdenv.hostPlatform = { inherit system; }; withPackages = f: package "\${name}-env"; cc.lib = package "lib";
  };
  names = builtins.listToAttrs (map (name: { inherit name; value = package name; }) [ ${names.map((name) => `"${name}"`).join(' ')} ]);
in names // {
  inherit system;
  stdenv = { hostPlatform = { inherit system; }; cc = package "cc"; };
  writeShellScriptBin = name: text: package name;
  writeText = name: text: package name;
  writeShellApplication = { name, ... }: package name;
  buildEnv = { name, ... }: package name;
}`;

/** A snippet as a function of what it may name. */
const KINDS: Readonly<Record<string, (text: string) => string>> = {
  // A whole flake.nix, with what it is given.
  'nix flake': (text) =>
    `{ inputs, ... }: let outputs = (${text}).outputs (inputs // { self = inputs.self // outputs; }); in outputs`,
  'nix outputs': (text) => `{ inputs, ... }: with inputs; {\n${text}\n}`,
  'nix image': (text) => `{ pkgs, lib, ... }: lib.mkImage ({ name = "example"; } // {\n${text}\n})`,
  'nix disk': (text) => `{ lib, nixos, ... }: let self.nixosConfigurations.server = nixos { }; in {
    image = lib.mkDisk ({ name = "example"; nixos = nixos { }; } // {\n${text}\n});
  }`,
  'nix module': (text) => `{ lib, nixos, ... }: { image = lib.mkDisk { name = "example"; nixos = nixos (${text}); }; }`,
  'nix file': (text) =>
    `{ pkgs, ... }: let value = ${text}; in if builtins.isFunction value then value (builtins.intersectAttrs (builtins.functionArgs value) { inherit pkgs; inherit (pkgs) system; }) else value`,
};

/** Every image that a snippet has, as Nix evaluates it. */
export interface EvaluatedSnippet {
  readonly at: string;
  readonly images: readonly unknown[];
}

/** Evaluates Nix snippets, all in one process. Fails with what Nix says, which names the snippet. */
export async function evaluateSnippets(
  snippets: readonly Snippet[],
  env: Readonly<Record<string, string>>,
): Promise<readonly EvaluatedSnippet[]> {
  await using folder = await uniqueTempDir('pages-nix');
  const sources = await readTree('nix');
  const names = [...sources, ...snippets]
    .flatMap(({ text }) => packagesIn(text))
    .concat('jq', 'hello', 'bash', 'coreutils', 'tzdata', 'iana-etc', ...DISK_PACKAGES);
  const files: string[] = [];
  for (const { at, kind, text } of snippets) {
    const name = `${at.replaceAll(/[^\w.-]/g, '_')}.nix`;
    for (const [, path = ''] of text.matchAll(/(?<![\w.])(\.\/[\w./-]*\w)/g)) {
      if (path === './nix-images/nix') continue;
      await mkdir(dirname(join(folder.path, path)), { recursive: true });
      await writeFile(
        join(folder.path, path),
        path.endsWith('.nix') ? '{ pkgs, ... }: { name = "imported"; copyToRoot = [ pkgs.hello ]; }' : '',
      );
    }
    await writeFile(
      join(folder.path, name),
      (KINDS[kind]?.(text) ?? text).replaceAll('./nix-images/nix', join(ROOT, 'nix')),
    );
    files.push(`{ at = ${JSON.stringify(at)}; value = import ./${name}; }`);
  }
  await writeFile(
    join(folder.path, 'pkgs.nix'),
    standIn(
      [...new Set(names)].filter((name) => !/^(?:stdenv|system|write\w+|buildEnv|buildPackages|lib)$/.test(name)),
    ),
  );
  await writeFile(join(folder.path, 'all.nix'), allOf(files));
  const words = ['--eval', '--strict', '--json', '--show-trace', join(folder.path, 'all.nix')];
  const { exitCode, stdout, stderr } = await runProgram('nix-instantiate', words, { env });
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as EvaluatedSnippet[];
}

const allOf = (files: readonly string[]): string => `let
  system = "x86_64-linux";
  pkgsOf = import ./pkgs.nix;
  pkgs = pkgsOf system;
  inherit (import ${join(ROOT, 'nix')} { }) lib nixosModules;
  nixosSystem = { modules, system ? "x86_64-linux" }: import ${join(ROOT, 'test/fixtures/nixos')} { inherit modules system; };
  nixos = module: nixosSystem { modules = [ nixosModules.ec2 nixosModules.trim module ]; };
  genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
  nixpkgs = { lib = { inherit genAttrs nixosSystem; }; legacyPackages = genAttrs [ "x86_64-linux" "aarch64-linux" ] pkgsOf; };
  self = { lastModified = 1767225600; packages = nixpkgs.legacyPackages; };
  inputs = { inherit nixpkgs self; nix-images = { inherit lib nixosModules; }; };
  imagesOf = value:
    if value ? schemaVersion then [ value ]
    else if value ? nixImages then builtins.concatMap (images: builtins.attrValues images) (builtins.attrValues value.nixImages)
    else builtins.filter (image: image ? schemaVersion) (builtins.filter builtins.isAttrs (builtins.attrValues value));
in map ({ at, value }: {
  inherit at;
  # JSON would show a root, which has an outPath, as that path alone.
  images = map (image: removeAttrs image [ "roots" ]) (imagesOf (value { inherit inputs pkgs lib nixos; }));
}) [ ${files.join(' ')} ]
`;
