import { expect, onTestFinished, test } from 'vitest';
import { copyFlake, runPlan } from './kit.ts';

const FLAKE = `{
  outputs =
    { self }:
    let
      inherit (import ./packages.nix { salt = import ./salt.nix; }) systems mkImage package packageOver;
      over = system: name: library: mkImage { inherit name; copyToRoot = [ (packageOver system name library) ]; };
    in
    {
      nixImages = systems (system: {
        web = over system "web" (package system "library");
        worker = over system "worker" (package system "library");
        alone = mkImage { name = "alone"; copyToRoot = [ (package system "alone") ]; };
      });
    };
}`;

test('what several build jobs build each for itself is said where that is asked for, and nothing is built', async () => {
  const flake = await copyFlake('mkimage');
  onTestFinished(() => flake.remove());
  await flake.write('flake.nix', FLAKE);
  const { exitCode, stderr } = await runPlan([flake.flake, '--shared-work', '--systems', 'x86_64-linux']);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain(
    'x86_64-linux: the build jobs of web, worker share 1 derivation that no binary cache has (library), and each builds them for itself: 1 build more than needed',
  );
  const others = await runPlan([flake.flake, '--shared-work', '--images', 'web', '--images', 'alone']);
  expect(others.stderr).toContain('no two build jobs build the same derivation');
  expect((await runPlan([flake.flake])).stderr).not.toContain('the same derivation');
});
