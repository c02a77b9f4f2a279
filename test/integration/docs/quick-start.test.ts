import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { snippetsOf } from '../../support/pages.ts';
import { preparePodman } from '../../support/podman.ts';
import { releaseTree } from '../../support/release.ts';
import { ROOT } from '../../support/root.ts';
import { programPath, runProgram, uniqueTempDir } from '../../support/tools.ts';

/** Stands in for nixpkgs: what the release's flake takes of it, and a `hello` that a static busybox runs. */
const standIn = (busybox: string): string => `{
  outputs = _: rec {
    lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system:
      let make = name: more: script: derivation ({
        inherit name system; builder = "/bin/sh"; args = [ "-euc" script ]; PATH = "/usr/bin:/bin";
      } // more); in {
        lib.licenses.mit = { };
        runtimeShell = "/bin/sh";
        nodejs_24 = make "nodejs" { } "mkdir -p $out/bin; ln -s ${process.execPath} $out/bin/node";
        runCommand = name: environment: make name (removeAttrs environment [ "meta" ]);
        hello = make "hello" { } ''
          mkdir -p $out/bin
          cp ${busybox} $out/bin/busybox
          printf '#!%s sh\\necho "Hello, world!"\\n' $out/bin/busybox > $out/bin/hello
          chmod +x $out/bin/hello
        '';
      });
  };
}`;

/** The page's commands up to the first image that runs: those of the steps 1 to 3, and what comes before them. */
async function commandsOfThePage(): Promise<string> {
  const path = 'docs/quick-start.md';
  const [before = ''] = (await readFile(join(ROOT, path), 'utf8')).split('## 4.');
  return snippetsOf({ path, text: before })
    .filter(({ kind }) => kind === 'sh')
    .map(({ text }) => text)
    .join('');
}

// It takes seconds, for it is the only test that does all that a newcomer does, with real programs: git, Nix, the release, podman.
test('who follows the quick start in an empty folder has a container that greets', { timeout: 600_000 }, async () => {
  await using folder = await uniqueTempDir('quick-start');
  await using release = await releaseTree();
  await using podman = await preparePodman();
  const at = (name: string): string => join(folder.path, name);
  const sources = {
    'github:org/nix-images/v1': `path:${release.path}`,
    'github:NixOS/nixpkgs/nixos-26.05': `path:${at('nixpkgs')}`,
  };
  const local = (text: string): string =>
    Object.entries(sources).reduce((all, [there, here]) => all.replaceAll(there, here), text);
  await mkdir(at('nixpkgs'));
  await writeFile(at('nixpkgs/flake.nix'), standIn(programPath('busybox')));
  for (const name of ['flake.nix', 'nix/templates/container/flake.nix']) {
    const file = join(release.path, name);
    await writeFile(file, local(await readFile(file, 'utf8')));
  }
  await rm(join(release.path, 'flake.lock'));
  await mkdir(at('empty'));
  // The machine's own settings of Nix come before the page's; of equal ones the last counts.
  const script = local(await commandsOfThePage()).replace("export NIX_CONFIG='", `$&${TEST_NIX_CONFIG}`);
  expect(script).toContain('nix flake init');
  const env = { ...podman.env, HOME: at('home'), GITHUB_ACTIONS: undefined, DOCKER_CONFIG: undefined };
  const { exitCode, stdout, stderr } = await runProgram('bash', ['-euc', script], { cwd: at('empty'), env });
  expect(exitCode, stderr).toBe(0);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('Hello, world!');
  // The template's workflow is there, and git knows of everything.
  const { stdout: status } = await runProgram('git', ['status', '--short'], { cwd: at('empty/hello') });
  expect(status.match(/^A {2}.*$/gm)).toEqual(['A  .github/workflows/images.yml', 'A  flake.lock', 'A  flake.nix']);
  expect(status).not.toContain('?? flake');
});
