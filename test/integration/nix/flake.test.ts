import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileInstallable, parseInstallable } from '../../../src/nix/installable.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { nixVersionsNotRun, nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { evaluateDefinition, REPOSITORY, systemsOf } from './fixture.ts';

for (const { suite, reason } of nixVersionsNotRun()) {
  test(`not run with the Nix of ${suite}: ${reason}`, () => {
    expect(reason).not.toBe('');
  });
}

/** Stands in for nixpkgs: names that the flakes use, and nothing that could be built. */
const NIXPKGS = `{
  outputs = { self }: rec {
    lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system:
      let package = name: derivation { inherit name system; builder = "/none"; };
      in builtins.mapAttrs (name: version: package "\${name}-\${version}") {
        python3 = "3.13"; bash = "5.3"; cacert = "3.115"; tini = "0.19"; tzdata = "2026a"; iana-etc = "20260101";
      });
  };
}`;

/** A port on which nobody listens. */
const closedPort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

describe.each(nixVersionsUnderTest())("the repository's own flake with $label", (version) => {
  let dir: string;
  let nixpkgs: string;
  let own: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'nix-images-flake-'));
    nixpkgs = join(dir, 'nixpkgs');
    own = join(dir, 'own');
    for (const folder of [nixpkgs, own]) await mkdir(folder);
    await writeFile(join(nixpkgs, 'flake.nix'), NIXPKGS);
    for (const file of ['flake.nix', 'flake.lock']) await copyFile(join(REPOSITORY, file), join(own, file));
    await cp(join(REPOSITORY, 'nix'), join(own, 'nix'), { recursive: true });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('has the python image for both systems, with nixpkgs overridden', async () => {
    const nix = await openNixUnderTest(version, { nixArgs: ['--override-input', 'nixpkgs', `path:${nixpkgs}`] });
    const installable = parseInstallable(`path:${own}#python`);
    expect(await systemsOf(nix, installable)).toEqual(SYSTEMS);
    for (const system of SYSTEMS) {
      const { definition } = await evaluateDefinition(nix, installable, system);
      const root = definition.roots.find(({ outPath }) => outPath.endsWith('-python3-3.13'));
      expect(definition).toMatchObject({ name: 'python', system });
      expect(definition.copyToRoot).toContain(root?.outPath);
      expect(definition.config.Cmd).toEqual([`${root?.outPath}/bin/python3`]);
      expect(definition.files['/tmp']).toMatchObject({ type: 'directory', mode: '1777' });
      expect(root?.drvPath).toMatch(/-python3-3\.13\.drv$/);
    }
    const lock = await readFile(join(REPOSITORY, 'flake.lock'), 'utf8');
    expect(await readFile(join(own, 'flake.lock'), 'utf8')).toBe(lock);
  });

  test('gives mkImage without fetching nixpkgs', async () => {
    const nix = await openNixUnderTest(version);
    const { stdout, exitCode, stderr } = await nix.command([
      'eval',
      '--json',
      `path:${own}#lib`,
      '--apply',
      'lib: (lib.mkImage { name = "x"; }).name',
    ]);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toBe('x');
  });

  test('says that an input cannot be reached', async () => {
    const flake = join(dir, 'unreachable');
    await mkdir(flake);
    const url = `http://127.0.0.1:${await closedPort()}/x.tar.gz`;
    const text = `{ inputs.far.url = "${url}"; outputs = { far, ... }: { nixImages.x86_64-linux.app = far.image; }; }`;
    await writeFile(join(flake, 'flake.nix'), text);
    const config = `${TEST_NIX_CONFIG}download-attempts = 1\n`;
    const nix = await openNixUnderTest(version, { env: { NIX_CONFIG: config } });
    await expect(evaluateDefinition(nix, parseInstallable(`path:${flake}#app`), SYSTEMS[0])).rejects.toMatchObject({
      code: 'evaluation',
      message: expect.stringContaining(url),
      hint: expect.stringContaining('cannot be fetched'),
    });
  });

  test('refuses a flake without images and a file that is not there', async () => {
    const nix = await openNixUnderTest(version);
    await expect(evaluateDefinition(nix, parseInstallable(`path:${nixpkgs}#app`), SYSTEMS[0])).rejects.toThrow(
      /no such image; the flake has no nixImages and no packages/,
    );
    const file = fileInstallable(join(dir, 'none.nix'), 'app');
    await expect(evaluateDefinition(nix, file, SYSTEMS[0])).rejects.toMatchObject({
      code: 'evaluation',
      hint: expect.stringContaining('Check the path'),
    });
  });
});
