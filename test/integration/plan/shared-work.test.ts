// Real Nix evaluates the flake eight times and builds one path: some seconds.
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EMPTY_INDEX } from '../../../src/cache/cache-index.ts';
import { finishCache } from '../../../src/cache/finish.ts';
import { FolderStore } from '../../../src/cache/folder-store.ts';
import { saveCache } from '../../../src/cache/save.ts';
import { systemHere } from '../../../src/commands/system-here.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { runCli } from '../../support/cli.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';
import { Builds } from '../../unit/cache/house-fixture.ts';
import { copyFlake, type FlakeCopy, runPlan } from './kit.ts';

const HERE = systemHere();

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

/** The flake, gone after the test. */
async function sharingFlake(): Promise<FlakeCopy> {
  const flake = await copyFlake('mkimage');
  onTestFinished(() => flake.remove());
  await flake.write('flake.nix', FLAKE);
  return flake;
}

const SHARED =
  'x86_64-linux: the build jobs of web, worker share 1 derivation that no binary cache has (library), and each builds them for itself: 1 build more than needed; ';

test('what several build jobs build each for itself is said where that is asked for, and nothing is built', async () => {
  const { flake } = await sharingFlake();
  const { exitCode, stderr } = await runPlan([flake, '--shared-work', 'auto', '--systems', 'x86_64-linux']);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain(`${SHARED}a job that builds them first would save nothing`);
  const always = await runPlan([flake, '--shared-work', 'always', '--systems', 'x86_64-linux']);
  expect(always.stderr).toContain(`${SHARED}a job builds them first`);
  const others = await runPlan([flake, '--shared-work', 'auto', '--images', 'web', '--images', 'alone']);
  expect(others.stderr).toContain('no two build jobs build the same derivation');
  expect((await runPlan([flake])).stderr).not.toContain('the same derivation');
});

test('what images share is built before them, no image is, and a cache that has it makes it unnecessary', async () => {
  const flake = await sharingFlake();
  const matrix = JSON.stringify({
    include: ['web', 'worker'].map((name) => ({ images: name, system: HERE, buildSystem: HERE })),
  });
  const first = await runCli(['build-shared', flake.flake, '--matrix', matrix]);
  expect(first.exitCode, first.stderr).toBe(0);
  expect(first.stdout).toBe('built 1 derivation that 2 images share\n');
  const builds = [...first.stderr.matchAll(/building '\/nix\/store\/[^-]*-(.*)\.drv'/g)].map(([, name]) => name);
  expect(builds).toEqual(['library']);
  // It is in the store now, and nothing is left to do.
  expect((await runCli(['build-shared', flake.flake])).stdout).toBe('nothing that images share has to be built\n');

  const [, path = ''] = /'(\/nix\/store\/[^']*-library\.drv)'/.exec(first.stderr) ?? [];
  const output = (await runProgram('nix-store', ['--query', '--outputs', path])).stdout.trim();
  await runProgram('nix-store', ['--delete', output]);
  const auto = [flake.flake, '--shared-work', 'auto', '--systems', HERE];
  expect((await runPlan(auto)).stderr).toContain('share 1 derivation');
  const cache = join(flake.path, 'cache');
  await keep(cache, output, path);
  // No NAR is asked for, so the cache may have any bytes of it.
  expect((await runPlan([...auto, '--cache', cache])).stderr).toContain('no two build jobs build the same derivation');

  // After an update it has another hash; how long it took is known by its name.
  await flake.write('salt.nix', '"updated"');
  expect((await runPlan([...auto, '--cache', cache])).stderr).toContain(
    "; a job builds them first, which saves about 1 h 15 min of the machines' time",
  );
});

/** Stores a path that was built within some hours in a cache. */
async function keep(cache: string, path: string, deriver: string): Promise<void> {
  await using folder = await uniqueTempDir('cache');
  const world = { log: memoryLog(), clock: systemClock };
  const builds = new Builds();
  const made = builds.build('library', 1000, { seconds: 4560, deriver, system: HERE });
  const attempt = { run: '1', attempt: 1, system: HERE, job: 'Shared' };
  const house = { ...world, store: new FolderStore(cache, undefined, world), folder: folder.path };
  const rules = { ref: undefined, governs: true, deadRefs: new Set<string>() };
  await saveCache(house, {
    ...{ attempt, rules, index: EMPTY_INDEX, needed: [] },
    built: [{ ...made, path }],
    readNar: (_, use) => builds.readNar(made.path, use),
  });
  await finishCache(house, { attempt, rules });
}
