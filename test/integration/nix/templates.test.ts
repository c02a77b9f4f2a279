import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateImages } from '../../../src/nix/evaluate.ts';
import { parseInstallable } from '../../../src/nix/installable.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { REPOSITORY } from './fixture.ts';

/** Stands in for nixpkgs: names that the templates use, and nothing that could be built. */
const NIXPKGS = `{
  outputs = { self }: rec {
    lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
    # A module system and NixOS's options, by the fixture that is copied beside this file.
    lib.nixosSystem = { modules, system }: import ./nixos { inherit modules system; };
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system:
      lib.genAttrs [ "bashInteractive" "cacert" "coreutils" "git" "hello" "python3" ]
        (name: derivation { inherit name system; builder = "/none"; }));
  };
}`;

const TEMPLATES = {
  container: ['hello'],
  'multi-image': ['web', 'worker'],
  environment: ['environment'],
  vm: ['server'],
};

const WORKFLOW = '.github/workflows/images.yml';

let temp: TempDir;
let nixpkgs: string;
let own: string;

beforeAll(async () => {
  temp = await uniqueTempDir('templates');
  nixpkgs = join(temp.path, 'nixpkgs');
  own = join(temp.path, 'own');
  for (const folder of [nixpkgs, own]) await mkdir(folder);
  await writeFile(join(nixpkgs, 'flake.nix'), NIXPKGS);
  await cp(join(REPOSITORY, 'test/fixtures/nixos'), join(nixpkgs, 'nixos'), { recursive: true });
  for (const file of ['flake.nix', 'flake.lock']) await copyFile(join(REPOSITORY, file), join(own, file));
  await cp(join(REPOSITORY, 'nix'), join(own, 'nix'), { recursive: true });
});
afterAll(() => temp?.remove());

describe.each(nixVersionsUnderTest())('nix flake init with $label', (version) => {
  test.each([
    ...Object.entries(TEMPLATES),
    ['', TEMPLATES.container] as const,
  ])('of the template %j gives a flake whose images evaluate, and its workflow', async (name, images) => {
    await using folder = await uniqueTempDir('template');
    const words = ['--extra-experimental-features', 'nix-command flakes', 'flake', 'init', '--template'];
    const template = `path:${own}${name === '' ? '' : `#${name}`}`;
    const env = { ...version.env, NIX_CONFIG: TEST_NIX_CONFIG };
    const { exitCode, stderr } = await runProgram('nix', [...words, template], { cwd: folder.path, env });
    expect(exitCode, stderr).toBe(0);
    // Nix breaks the lines of the text as it likes, and colours some.
    const said = stripVTControlCharacters(stderr).replace(/\s+/g, ' ');
    expect(said).toContain('nix run github:org/nix-images/v1 -- plan');
    expect(said).toContain(`nix run github:org/nix-images/v1 -- publish .#${images[0]} --to oci:out:latest`);
    expect(await readFile(join(folder.path, WORKFLOW), 'utf8')).toContain(
      'org/nix-images/.github/workflows/images.yml@v1',
    );
    const inputs = { nixpkgs, 'nix-images': own };
    const overrides = Object.entries(inputs).flatMap(([input, path]) => ['--override-input', input, `path:${path}`]);
    const nix = await openNixUnderTest(version, { nixArgs: overrides });
    for (const image of images) {
      for (const system of SYSTEMS) {
        const installable = parseInstallable(`path:${folder.path}#${image}`);
        const found = await (await evaluateImages(nix, installable, { systems: [system] })).foundFor(system);
        expect(found.kind).toBe(name === 'vm' ? 'disk' : 'definition');
        const definition = 'disk' in found ? found.disk : 'definition' in found ? found.definition : undefined;
        expect(definition).toMatchObject({ name: image, system });
      }
    }
  });
});

test('no template names a command that is not there before Nix has fetched it', async () => {
  const folder = join(REPOSITORY, 'nix/templates');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const { parentPath, name } of files) {
    const text = await readFile(join(parentPath, name), 'utf8');
    expect(text, name).not.toMatch(/(?<![/\w.-])nix-images (?:plan|build|publish|inspect|machine)\b/);
  }
});

test('every template is listed, and all have the workflow that README.md shows', async () => {
  expect((await readdir(join(REPOSITORY, 'nix/templates'))).sort()).toEqual(Object.keys(TEMPLATES).sort());
  const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8');
  for (const name of Object.keys(TEMPLATES)) {
    const text = await readFile(join(REPOSITORY, 'nix/templates', name, WORKFLOW), 'utf8');
    expect(readme, name).toContain(`\`\`\`yaml workflow\n${text}\`\`\``);
    expect(text.split('\n').length).toBeLessThanOrEqual(26);
  }
});
