import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { batchedJobs, matrixOf } from '../../../src/plan/matrix.ts';
import { isNeeded, type Plan } from '../../../src/plan/plan.ts';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { runCli } from '../../support/cli.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { committedBlobs } from '../publish/kit.ts';
import { copyFlake, type FlakeCopy, planOf, publishedIn, runPlan } from './kit.ts';

// A dozen plans, builds and publishes, beside other tests.
vi.setConfig({ testTimeout: 180_000 });

let registry: RunningRegistry;
let temp: TempDir;
let flake: FlakeCopy;
let to: string;

beforeAll(async () => {
  [registry, temp, flake] = await Promise.all([startRegistry(), uniqueTempDir('plan'), copyFlake('mkimage')]);
  to = `${registry.host}/lab/{name}`;
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
  await flake?.remove();
});

const plan = (...args: string[]): Promise<Plan> => planOf([flake.flake, '--to', to, ...args]);

const jobsIn = ({ images }: Plan): string[] =>
  images.flatMap(({ name, jobs }) => jobs.filter(isNeeded).map(({ system }) => `${name} ${system}`));

/** Build jobs of a plan, in which so many images go together. */
const jobsOf = (planned: Plan, batch: number) =>
  matrixOf(batchedJobs(planned, { batch, maxJobs: 20, partsOf: () => new Set() }), planned, []);

/** Runs the build jobs of a plan as those of a workflow would, both images for a system in one; returns the folder of their handovers. */
async function build(planned: Plan, leaveOut: readonly string[] = []): Promise<string> {
  const folder = join(temp.path, crypto.randomUUID());
  const images = planned.images.map((image) => ({
    ...image,
    jobs: image.jobs.filter(({ system }) => !leaveOut.includes(`${image.name} ${system}`)),
  }));
  for (const { installable, images: names, system } of jobsOf({ ...planned, images }, 2)) {
    const all = installable.split('\n');
    // One alone is in the folder that is named.
    const out = all.length > 1 ? folder : join(folder, `${names.replace('/', '-')}-${system}`);
    const { exitCode, stderr } = await runCli(['build', ...all, '--to', to, '--out', out]);
    expect(exitCode, stderr).toBe(0);
  }
  return folder;
}

async function publish(planned: Plan, args: readonly string[]) {
  const file = join(temp.path, `${crypto.randomUUID()}.json`);
  await writeFile(file, JSON.stringify(planned));
  // A fan-in has no Nix.
  const run = await runCli(['publish', '--plan', `@${file}`, ...args, '--json'], { env: { PATH: '/nonexistent' } });
  const data = run.stdout === '' ? undefined : JSON.parse(run.stdout);
  return {
    ...run,
    digests: Object.fromEntries(
      (data?.images ?? []).map((image: { name: string; digest: string }) => [image.name, image.digest]),
    ),
  };
}

const ALL = ['team/web x86_64-linux', 'team/web aarch64-linux', 'worker x86_64-linux', 'worker aarch64-linux'];

test('first everything is built, then nothing, then what changed', async () => {
  const first = await plan();
  expect(jobsIn(first)).toEqual(ALL);
  const published = await publish(first, ['--from', await build(first)]);
  expect(published.exitCode, published.stderr).toBe(0);
  expect(Object.keys(published.digests)).toEqual(['team/web', 'worker']);

  const second = await plan();
  expect(publishedIn(second)).toEqual(ALL);
  expect(jobsIn(second)).toEqual([]);

  // Skipped images get new tags, and the index is the same.
  const again = await publish(second, ['--tag', 'v2']);
  expect(again.exitCode, again.stderr).toBe(0);
  expect(again.digests).toEqual(published.digests);
  const headers = { accept: 'application/vnd.oci.image.index.v1+json' };
  const index = await fetch(`http://${registry.host}/v2/lab/team/web/manifests/v2`, { headers });
  expect(index.headers.get('docker-content-digest')).toBe(published.digests['team/web']);

  await flake.write('note.nix', '"second"');
  const third = await plan();
  expect(jobsIn(third)).toEqual(['worker x86_64-linux', 'worker aarch64-linux']);

  // One of its build jobs fails: the other image is published all the same, and the command fails at the end.
  const handovers = await build(third, ['worker aarch64-linux']);
  const broken = await publish(third, ['--from', handovers, '--tag', 'v3']);
  expect(broken.exitCode).toBe(1);
  expect(broken.stderr).toContain('1 of 2 images are not published');
  expect(broken.stderr).toMatch(/worker: no image for aarch64-linux/);
  expect(Object.keys(broken.digests)).toEqual(['team/web']);
  expect((await fetch(`http://${registry.host}/v2/lab/worker/manifests/v3`, { headers })).status).toBe(404);

  expect(jobsIn(await plan('--force'))).toEqual(ALL);
  expect(jobsIn(await plan('--changed-since', 'v3'))).toEqual([...ALL.slice(2)]);
  expect(jobsIn(await plan('--changed-since', 'v0'))).toEqual(ALL);
  // A branch that has no tag yet: what an image's own tag or the usual one means counts.
  expect(jobsIn(await plan('--tag', 'branch'))).toEqual(ALL.slice(2));
  await flake.write('note.nix', '"first"');
  expect(jobsIn(await plan('--tag', 'branch'))).toEqual([]);
});

const mountsOf = ({ requests }: RegistryEmulator) =>
  requests.filter(({ query, status }) => query.includes('mount=') && status === 201);

test('images of one build job share what they have: each layer is sent once and mounted for the others, and one that fails leaves them', async () => {
  const [shared, emulator] = [await copyFlake('mkimage'), await startEmulator()];
  onTestFinished(async () => void (await Promise.all([shared.remove(), emulator.stop()])));
  await shared.write(
    'flake.nix',
    `{ outputs = { self }: let p = import ./packages.nix { salt = import ./salt.nix; };
         over = name: p.mkImage { inherit name; copyToRoot = [ (p.packageOver "x86_64-linux" name (p.package "x86_64-linux" "library")) ]; };
         images = [ "one" "two" "three" ];
       in { nixImages.x86_64-linux = builtins.listToAttrs (map (name: { inherit name; value = over name; }) images) // { typo = p.mkImage { name = "typo"; copyToRot = [ ]; }; }; }; }`,
  );
  const out = join(temp.path, 'shared');
  const images = ['one', 'two', 'typo', 'three'].map((name) => `${shared.flake}#nixImages.x86_64-linux.${name}`);
  const built = await runCli(['build', ...images, '--to', `${emulator.host}/{name}`, '--out', out, '--json']);
  expect(built.exitCode).toBe(1);
  expect(built.stderr).toMatch(/error: 1 of 4 images are not built:\n {4}\S*typo: .*'copyToRot'/);
  const data = JSON.parse(built.stdout);
  expect(data.images.map(({ name }: { name: string }) => name)).toEqual(['one', 'two', 'three']);
  const sent = committedBlobs(emulator);
  expect(sent).toHaveLength(new Set(sent).size);
  expect(mountsOf(emulator)).toHaveLength(2);
  // All three have the layer, and its bytes count for the one that was first.
  const bytes = data.images
    .map(({ bytesSent }: { bytesSent: number }) => bytesSent)
    .sort((a: number, b: number) => a - b);
  expect(bytes[2]).toBeGreaterThan(bytes[0]);
  const handed = await readdir(out);
  expect(handed.sort()).toEqual(['one-x86_64-linux', 'three-x86_64-linux', 'two-x86_64-linux']);
  // Alone, over what is published, each keeps its layers.
  const to = `${emulator.host}/{name}`;
  const published = await runCli(['publish', '--from', join(out, 'one-x86_64-linux'), '--to', to, '--json']);
  expect(published.exitCode, published.stderr).toBe(0);
  const again = await runCli(['build', images[0] ?? '', '--to', to, '--out', join(out, 'again'), '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ digest: data.images[0].digest, bytesSent: 0 });

  // With the layers in the handovers, the fan-in sends each once and mounts it for the others.
  const fan = `${emulator.host}/fan/{name}`;
  const planned = await planOf([shared.flake, '--to', fan, '--images', 'one', '--images', 'two']);
  const kept = join(temp.path, 'kept');
  const files = await runCli(['build', ...images.slice(0, 2), '--out', kept]);
  expect(files.exitCode, files.stderr).toBe(0);
  const before = committedBlobs(emulator).length;
  const fanned = await publish(planned, ['--from', kept]);
  expect(fanned.exitCode, fanned.stderr).toBe(0);
  const more = committedBlobs(emulator).slice(before);
  expect(more).toHaveLength(new Set(more).size);
  expect(mountsOf(emulator)).toHaveLength(3);

  // Without handovers all are evaluated, planned and made together; what does not build is told of that image alone.
  await shared.write(
    'flake.nix',
    (await readFile(join(shared.path, 'flake.nix'), 'utf8')).replace(
      'p.mkImage { name = "typo"; copyToRot = [ ]; }',
      'p.mkImage { name = "typo"; copyToRoot = [ (derivation { name = "typo"; system = "x86_64-linux"; builder = "/bin/false"; }) ]; }',
    ),
  );
  const [plan, trace] = [join(temp.path, 'missing.json'), join(temp.path, 'missing-trace.json')];
  await writeFile(plan, JSON.stringify(await planOf([shared.flake, '--to', `${emulator.host}/missing/{name}`])));
  const [sentBefore, mountsBefore] = [committedBlobs(emulator).length, mountsOf(emulator).length];
  const missing = await runCli(['publish', '--plan', `@${plan}`, '--build-missing', '--timings', trace, '--json']);
  expect(missing.exitCode, missing.stderr).toBe(1);
  expect(missing.stderr).toMatch(/error: 1 of 4 images are not published:\n {4}typo: /);
  expect(JSON.parse(missing.stdout).images.map(({ name }: { name: string }) => name)).toEqual(['one', 'three', 'two']);
  const sentNow = committedBlobs(emulator).slice(sentBefore);
  expect(sentNow).toHaveLength(new Set(sentNow).size);
  expect(mountsOf(emulator).length - mountsBefore).toBe(2);
  const { traceEvents } = JSON.parse(await readFile(trace, 'utf8')) as { traceEvents: { name: string }[] };
  const times = (what: string): number => traceEvents.filter(({ name }) => name === what).length;
  expect([times('nix eval'), times('Realising what the images are made of')]).toEqual([1, 1]);
});

test('what is published but gone, of another key, or handed over of another commit is refused', async () => {
  const { images, ...rest } = await plan('--images', 'team/web', '--changed-since', 'v1');
  expect(publishedIn({ images, ...rest })).toHaveLength(2);
  const change = (more: object): Plan => ({
    ...rest,
    images: images.map((image) => ({ ...image, jobs: image.jobs.map((job) => ({ ...job, ...more })) })),
  });
  const gone = await publish(change({ published: `sha256:${'0'.repeat(64)}` }), ['--tag', 'never']);
  expect(gone.stderr).toMatch(/is gone, the image team\/web for x86_64-linux/);
  const other = await publish(change({ key: '0'.repeat(64) }), ['--tag', 'never']);
  expect(other.stderr).toMatch(/is not the image team\/web for x86_64-linux that was planned/);
  const handovers = await build(change({ published: null }));
  const another = await publish(change({ published: null, key: '0'.repeat(64) }), [
    '--from',
    handovers,
    '--tag',
    'never',
  ]);
  expect(another.stderr).toMatch(/holds another image than was planned/);
  for (const { exitCode, stderr } of [gone, other, another]) {
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^hint: /m);
  }
  expect((await fetch(`http://${registry.host}/v2/lab/team/web/manifests/never`)).status).toBe(404);
});

test('a registry that cannot be read means build', async () => {
  const broken = await startEmulator();
  onTestFinished(() => broken.stop());
  // Tried again at once, where nobody there would be asked for half a minute.
  const fault = { kind: 'status', status: 500, headers: { 'retry-after': '0' }, path: /./, times: 1000 } as const;
  for (const method of ['HEAD', 'GET']) broken.inject({ ...fault, method });
  const { stdout, stderr, exitCode } = await runPlan([flake.flake, '--to', `${broken.host}/{name}`, '--json']);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain('so it is built');
  expect(jobsIn(JSON.parse(stdout))).toEqual(ALL);
});

test.each([
  {
    name: 'a plan of another version',
    text: '{"schemaVersion":9}',
    says: /version 9, and this program reads version 3/,
  },
  { name: 'no JSON', text: 'plan', says: /is not JSON/ },
  {
    name: 'another document',
    text: '{"schemaVersion":3,"images":[]}',
    says: /the plan is not valid/,
  },
  { name: 'no such file', text: '@/none.json', says: /none\.json cannot be read/ },
])('publish refuses $name', async ({ text, says }) => {
  const { exitCode, stderr } = await runCli(['publish', '--plan', text]);
  expect(stderr).toMatch(says);
  expect(stderr).toMatch(/^hint: /m);
  expect(exitCode).not.toBe(0);
});

test('a system that is published and no longer evaluates is an error, unless it may be missing', async () => {
  const lost = await copyFlake('mkimage');
  try {
    const where = `${registry.host}/lost/{name}`;
    const outputs = (arm: string) =>
      lost.write(
        'flake.nix',
        `{ outputs = { self }: let p = import ./packages.nix { salt = import ./salt.nix; };
             image = system: p.mkImage { name = "app"; copyToRoot = [ (p.package system "app") ]; };
           in { packages.x86_64-linux.app.type = "derivation"; packages.x86_64-linux.app.nixImage = image "x86_64-linux";
                packages.aarch64-linux.app = ${arm}; }; }`,
      );
    await outputs('{ type = "derivation"; nixImage = image "aarch64-linux"; }');
    const whole = await runCli(['publish', `${lost.flake}#app`, '--to', where]);
    expect(whole.exitCode, whole.stderr).toBe(0);

    for (const [arm, words] of [
      ['throw "the licence is not accepted"', 'the licence is not accepted'],
      ['abort "no way"', 'no way'],
    ] as const) {
      await outputs(arm);
      const { exitCode, stdout, stderr } = await runPlan([lost.flake, '--to', where, '--json']);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(new RegExp(`warning: left out: packages.aarch64-linux.app: .*${words}`));
      expect(stderr).toMatch(new RegExp(`error: app would lose aarch64-linux .*${words}`));
      const planned: Plan = JSON.parse(stdout);
      const refused = await publish(planned, ['--tag', 'v2']);
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toMatch(new RegExp(`app would lose aarch64-linux .*${words}`));
      const allowed = await publish(planned, ['--tag', 'v2', '--allow-missing']);
      expect(allowed.exitCode, allowed.stderr).toBe(0);
      expect(allowed.stderr).toMatch(new RegExp(`the plan left out packages.aarch64-linux.app: .*${words}`));
    }
    const { exitCode, stderr } = await runPlan([lost.flake, '--to', where, '--allow-missing']);
    expect(exitCode, stderr).toBe(0);
  } finally {
    await lost.remove();
  }
});

test('an image that does not evaluate, and one whose name no registry takes, stop no other, and fail the publish at its end', async () => {
  const mixed = await copyFlake('mkimage');
  try {
    await mixed.write(
      'flake.nix',
      `{ outputs = { self }: let p = import ./packages.nix { salt = import ./salt.nix; };
           image = name: p.mkImage { inherit name; copyToRoot = [ (p.package "x86_64-linux" "good") ]; };
         in { nixImages.x86_64-linux = { good = image "good"; typo = p.mkImage { name = "typo"; copyToRot = [ ]; }; };
              dockerImages.x86_64-linux.shout = p.archive "x86_64-linux" "LOUD"; }; }`,
    );
    const where = `${registry.host}/mixed/{name}`;
    const made = await runPlan([mixed.flake, '--to', where, '--json']);
    expect(made.exitCode).toBe(1);
    expect(made.stderr).not.toContain('cannot be read');
    const file = join(temp.path, 'mixed.json');
    await writeFile(file, made.stdout);
    const all = ['publish', '--plan', `@${file}`, '--build-missing', '--json'];
    const failed = await runCli(all);
    expect(failed.exitCode, failed.stderr).toBe(1);
    expect(JSON.parse(failed.stdout).images).toEqual([expect.objectContaining({ name: 'good' })]);
    expect(failed.stderr).toMatch(/error: 2 of 3 images are not published/);
    expect(failed.stderr).toMatch(/nixImages\.x86_64-linux\.typo: .*'copyToRot'/);
    expect(failed.stderr).toMatch(/LOUD.*not a valid repository name/);
    const allowed = await runCli([...all, '--allow-broken']);
    expect(allowed.stderr).toMatch(/warning: the plan left out nixImages\.x86_64-linux\.typo/);
    expect(allowed.stderr).toMatch(/error: 1 of 2 images are not published/);
  } finally {
    await mixed.remove();
  }
});

test('an image and its cross-compiled sibling are planned, built and published as one', async () => {
  const crossed = await copyFlake('mkimage');
  try {
    // A derivation of x86-64 whose programs are for arm64, as those of pkgsCross say.
    await crossed.write(
      'flake.nix',
      `{ outputs = { self }: let p = import ./packages.nix { salt = import ./salt.nix; };
           image = package: package // { nixImage = p.mkImage { name = "app"; copyToRoot = [ package ]; }; };
           native = p.package "x86_64-linux" "native";
           cross = p.package "x86_64-linux" "cross" // { stdenv.hostPlatform.system = "aarch64-linux"; };
         in { packages.x86_64-linux = { app = image native; app-arm64 = image cross; }; }; }`,
    );
    const where = `${registry.host}/cross/{name}`;
    const planned = await planOf([crossed.flake, '--to', where]);
    expect(planned.images.map(({ jobs }) => jobs.map(({ system, buildSystem }) => [system, buildSystem]))).toEqual([
      [
        ['x86_64-linux', null],
        ['aarch64-linux', 'x86_64-linux'],
      ],
    ]);
    const folder = join(temp.path, crypto.randomUUID());
    for (const { system, runner, installable } of jobsOf(planned, 1)) {
      expect(runner).toBe('ubuntu-latest');
      const out = join(folder, system);
      const built = await runCli(['build', installable, '--system', system, '--to', where, '--out', out]);
      expect(built.exitCode, built.stderr).toBe(0);
    }
    const published = await publish(planned, ['--from', folder]);
    expect(published.exitCode, published.stderr).toBe(0);
    const { platforms } = JSON.parse(published.stdout).images[0];
    expect(platforms.map(({ platform }: { platform: string }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
    const wrong = await runCli(['build', `${crossed.flake}#packages.x86_64-linux.app-arm64`]);
    expect(wrong.stderr).toMatch(/app-arm64 is of aarch64-linux, not of x86_64-linux/);
    expect(wrong.stderr).toMatch(/hint: .*--system aarch64-linux/);
  } finally {
    await crossed.remove();
  }
});
