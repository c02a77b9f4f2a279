import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileInstallable, parseInstallable } from '../../../src/nix/installable.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { type NixUnderTest, nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { ROOT } from '../../support/root.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { evaluateDefinition } from '../nix/fixture.ts';
import { RECIPES } from './utility-kit.ts';

// What mkUtility makes of its arguments, on every Nix; its packages are names that nothing is built of.

/** Stands in for nixpkgs, as a flake and as a package set. */
const NIXPKGS = `rec {
  lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
  packagesOf = system:
    let
      make = names: lib.genAttrs names (name: derivation { inherit name system; builder = "/none"; });
      more = [ "less" "which" "tzdata" "iana-etc" ];
      many = builtins.genList (number: "tool\${toString number}") 50;
    in
    make ([ "bash" "coreutils" "curl" "httpie" "just" "tini" "cacert" "jq" "yq" ] ++ more ++ many)
    // { python3Packages = make [ "rich" "requests" ]; };
  legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] packagesOf;
}`;

const ARGUMENTS = {
  plain: 'justfile = ./justfile;',
  text: 'justfile = "hello:\\n    echo hello\\n";',
  packages: 'justfile = ./justfile; packages = [ "jq" pkgs.yq "python3Packages.rich" ];',
  added: `justfile = ./justfile; name = "team/x"; config = { Env.TZ = "UTC"; Env.HOME = "/data"; WorkingDir = "/data"; };
    files."/database.just" = ./justfile; users.other.uid = 7; copyToRoot = pkgs.yq; tests.more.command = [ "say" "x" ];`,
  noJustfile: '',
  wrongJustfile: 'justfile = 3;',
  noPackages: 'justfile = ./justfile; pkgs = null;',
  packagesAsText: 'justfile = ./justfile; packages = "jq";',
  unknownPackage: 'justfile = ./justfile; packages = [ "jqq" ];',
  unknownMember: 'justfile = ./justfile; packages = [ "python3Packages.rihc" ];',
  unknownArgument: 'justfile = ./justfile; package = [ "jq" ];',
  listOfVariables: 'justfile = ./justfile; config.Env = [ "TZ=UTC" ];',
};

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('utility-extended');
  for (const folder of ['own', 'nixpkgs', 'flake']) await mkdir(join(temp.path, folder));
  const at = (...names: string[]): string => join(temp.path, ...names);
  for (const file of ['flake.nix', 'flake.lock']) await copyFile(join(ROOT, file), at('own', file));
  await cp(join(ROOT, 'nix'), at('own/nix'), { recursive: true });
  await writeFile(at('nixpkgs/flake.nix'), `{ outputs = _: ${NIXPKGS}; }`);
  const images = Object.entries(ARGUMENTS).map(
    ([name, given]) => `${name} = mkUtility ({ inherit pkgs; } // { ${given} });`,
  );
  await writeFile(
    at('default.nix'),
    `{ system ? builtins.currentSystem }:
    let inherit ((import ./own/nix { }).lib) mkUtility; pkgs = (${NIXPKGS}).packagesOf system; in { ${images.join('\n')} }`,
  );
  await copyFile(RECIPES, at('justfile'));
  await copyFile(RECIPES, at('flake/justfile'));
});
afterAll(() => temp?.remove());

const evaluate = async (version: NixUnderTest, name: keyof typeof ARGUMENTS) => {
  const nix = await openNixUnderTest(version);
  const file = fileInstallable(join(temp.path, 'default.nix'), name);
  return (await evaluateDefinition(nix, file, 'x86_64-linux')).definition;
};

const namesOf = (paths: readonly string[]): string[] => paths.map((path) => path.replace(/^\/nix\/store\/.{33}/, ''));

describe.each(nixVersionsUnderTest())('mkUtility with $label', (version) => {
  test('the flake in the readme is short and gives an image for both systems', async () => {
    const text = await readFile(join(ROOT, 'nix/images/utility.md'), 'utf8');
    const [, flake = ''] = /```nix flake\n(\{\n {2}inputs[^`]*)```/.exec(text) ?? [];
    expect(flake.trimEnd().split('\n').length).toBeLessThan(15);
    await writeFile(join(temp.path, 'flake/flake.nix'), flake);
    const inputs = { nixpkgs: 'nixpkgs', 'nix-images': 'own' };
    const overrides = Object.entries(inputs).flatMap(([input, folder]) => [
      ...['--override-input', input],
      `path:${temp.path}/${folder}`,
    ]);
    const nix = await openNixUnderTest(version, { nixArgs: overrides });
    for (const system of SYSTEMS) {
      const installable = parseInstallable(`path:${temp.path}/flake#chores`);
      const { definition } = await evaluateDefinition(nix, installable, system);
      expect(definition).toMatchObject({ name: 'team/chores', system });
      expect(namesOf(definition.copyToRoot)).toContain('jq');
    }
  });

  test('a Justfile may be a file or text', async () => {
    const [file, text] = [await evaluate(version, 'plain'), await evaluate(version, 'text')];
    expect(file.files['/justfile']).toMatchObject({ type: 'source', source: expect.stringMatching(/-justfile$/) });
    expect(text.files['/justfile']).toMatchObject({ type: 'text', text: 'hello:\n    echo hello\n' });
    expect(file).toMatchObject({ name: 'utility', config: { User: '65532:65532', WorkingDir: '/tmp' } });
  });

  test('packages are named or given, and every argument of mkImage adds to what is there', async () => {
    const { copyToRoot, replaceable } = await evaluate(version, 'packages');
    const own = ['bash', 'coreutils', 'curl', 'httpie', 'just', 'less', 'tini', 'which', 'cacert'];
    expect(namesOf(replaceable)).toEqual(own);
    expect(namesOf(copyToRoot)).toEqual(['jq', 'yq', 'rich']);

    const added = await evaluate(version, 'added');
    expect(namesOf(added.copyToRoot)).toEqual(['yq']);
    expect(added.config.Env).toEqual(expect.arrayContaining(['TZ=UTC', 'HOME=/data', 'PATH=/bin']));
    expect(added.config).toMatchObject({ WorkingDir: '/data', User: '65532:65532' });
    expect(Object.keys(added.files)).toEqual(expect.arrayContaining(['/justfile', '/database.just', '/tmp']));
    expect(Object.keys(added.users)).toEqual(['other', 'root', 'utility']);
    expect(Object.keys(added.tests)).toEqual(['more', 'recipes']);
  });

  test.each([
    ['noJustfile', "mkUtility: 'justfile' is missing"],
    ['wrongJustfile', 'mkUtility: justfile: expected a path or the text of a Justfile, got a int'],
    ['noPackages', 'mkUtility: pkgs: expected an attribute set, got a null'],
    ['packagesAsText', 'mkUtility: packages: expected a list of packages or of their names, got a string'],
    [
      'unknownPackage',
      "mkUtility: packages: unknown package 'jqq', did you mean 'jq'? There are 64: https://search.nixos.org/packages",
    ],
    [
      'unknownMember',
      "mkUtility: packages: unknown package 'python3Packages.rihc', did you mean 'rich'? Known are: requests, rich.",
    ],
    ['unknownArgument', "mkUtility: unknown argument 'package', did you mean 'packages'? Known are: pkgs, justfile, "],
    ['listOfVariables', 'mkUtility: config.Env: expected a set such as { TZ = "UTC"; }, got a list'],
  ] as const)('%s is refused', async (name, message) => {
    await expect(evaluate(version, name)).rejects.toThrow(message);
  });
});
