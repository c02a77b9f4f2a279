import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { runCli } from '../../support/cli.ts';
import { nixVersionsUnderTest } from '../../support/nix.ts';
import { runProgram } from '../../support/tools.ts';
import { copyFlake, type FlakeCopy, imagesIn, planOf, runPlan } from './kit.ts';

const names = ['mkimage', 'mixed', 'broken', 'none', 'many'] as const;
type Name = (typeof names)[number];

let flakes: Record<Name, FlakeCopy>;

beforeAll(async () => {
  const copies = await Promise.all(names.map(async (name) => [name, await copyFlake(name)] as const));
  flakes = Object.fromEntries(copies) as Record<Name, FlakeCopy>;
});

afterAll(async () => {
  await Promise.all(Object.values(flakes ?? {}).map((flake) => flake.remove()));
});

const BOTH = SYSTEMS.join(' ');

describe.each(nixVersionsUnderTest())('with $label', ({ env }) => {
  test('finds images of every kind, takes each once, and says why', async () => {
    const plan = await planOf([flakes.mixed.flake, '--nixos-variants', 'amazon', '--nixos-variants', 'iso'], env);
    expect(imagesIn(plan)).toEqual([
      `app definition ${BOTH}`,
      `carried definition ${BOTH}`,
      'host-amazon disk x86_64-linux',
      'layout archive x86_64-linux',
      `listed nix2container ${BOTH}`,
      `machine disk ${BOTH}`,
      `org/archive archive ${BOTH}`,
      `streamed stream ${BOTH}`,
      'vm disk x86_64-linux',
    ]);
    expect(plan.images[0]?.why).toBe('nixImages.<system>.app is an image definition');
    const leftOut = plan.leftOut.map(({ attr, why }) => `${attr} ${why}`);
    expect(leftOut).toEqual([
      'nixImages.riscv64-linux images are not built for riscv64-linux',
      'ociImages.x86_64-linux.words is a string, not an image',
      'packages.x86_64-linux.app nixImages.x86_64-linux.app has its name and goes before it',
      'packages.aarch64-linux.app nixImages.aarch64-linux.app has its name and goes before it',
      'packages.x86_64-linux.default is the same image as packages.x86_64-linux.carrier',
      'packages.aarch64-linux.default is the same image as packages.aarch64-linux.carrier',
    ]);
  });

  test('warns of a flake.lock that is missing, or refuses it', async () => {
    const flake = await copyFlake('mkimage');
    try {
      await flake.write('dep.nix', '{ }');
      const text = await readFile(join(flake.path, 'flake.nix'), 'utf8');
      const dep = `inputs.dep = { url = "path:${flake.path}/dep.nix"; flake = false; };`;
      await flake.write('flake.nix', text.replace('{', `{ ${dep}`).replace('{ self }:', '{ self, dep }:'));
      const loose = await runPlan([flake.flake], env);
      expect(loose.exitCode, loose.stderr).toBe(0);
      expect(loose.stderr).toContain('flake.lock of path:');
      const strict = await runPlan([flake.flake, '--require-lock'], env);
      expect(strict.exitCode).toBe(1);
      expect(strict.stderr).toContain('flake.lock is missing or out of date: run nix flake lock');
    } finally {
      await flake.remove();
    }
  });

  test('lists what is broken with the words of nix, and goes on', async () => {
    const plan = await planOf([flakes.broken.flake], env);
    expect(imagesIn(plan)).toEqual([`good definition ${BOTH}`]);
    const words: Record<string, RegExp> = {
      throws: /^the licence is not accepted$/,
      fails: /^assertion 'false' failed$/,
      aborts: /no way/,
      missing: /^attribute 'nothing' missing$/,
      typo: /unknown argument 'copyToRot', did you mean 'copyToRoot'/,
      imports: /allow-import-from-derivation/,
      wrong: /maxLayers/,
    };
    const said = new Map(plan.leftOut.map(({ attr, why }) => [attr, why]));
    for (const system of SYSTEMS) {
      for (const [name, message] of Object.entries(words)) {
        expect(said.get(`nixImages.${system}.${name}`), name).toMatch(message);
      }
      expect(said.get(`packages.${system}.unfree`)).toBe('unfree');
    }
    expect(said.get('dockerImages')).toMatch(/no output at all/);
    expect(said.size).toBe(2 * (Object.keys(words).length + 1) + 1);
  });

  test('evaluates once', async () => {
    const folder = join(flakes.mkimage.path, 'calls');
    await mkdir(folder, { recursive: true });
    // Stands before nix on PATH and writes down what it was asked for.
    const { stdout } = await runProgram('sh', ['-c', 'command -v nix'], { env });
    const log = join(folder, `${crypto.randomUUID()}.log`);
    const script = `#!/bin/sh\necho "$3" >> ${log}\nexec ${stdout.trim()} "$@"\n`;
    await writeFile(join(folder, 'nix'), script, { mode: 0o755 });
    await planOf([flakes.mkimage.flake], { ...env, PATH: `${folder}:${env.PATH}` });
    const calls = (await runProgram('cat', [log])).stdout.split('\n').filter((line) => line !== '');
    expect(calls).toEqual(['eval']);
  });

  test('a flake whose images are all broken is refused with what nix says of them', async () => {
    const flake = await copyFlake('none');
    try {
      await flake.write('flake.nix', '{ outputs = { self }: { nixImages.x86_64-linux.a = throw "boo"; }; }');
      const { stderr, exitCode } = await runPlan([flake.flake], env);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/has no image that can be taken; left out were\s+nixImages.x86_64-linux.a: boo/);
      expect(stderr).toMatch(/^hint: Fix one of them/m);
    } finally {
      await flake.remove();
    }
  });

  test('a flake that does not evaluate at all is an error with the words of nix', async () => {
    const flake = await copyFlake('none');
    try {
      await flake.write('flake.nix', '{ outputs = { self }: throw "not today"; }');
      const { stderr, exitCode } = await runPlan([flake.flake], env);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/evaluating path:.* failed: not today/);
    } finally {
      await flake.remove();
    }
  });
});

test('refuses a flake without images, with the lines to add', async () => {
  const { stderr, exitCode } = await runPlan([flakes.none.flake]);
  expect(exitCode).toBe(1);
  for (const place of ['nixImages.<system>.<name>', 'dockerImages', 'passthru.nixImage'])
    expect(stderr).toContain(place);
  expect(stderr).toContain('nixImages.x86_64-linux.app = nix-images.lib.mkImage {');
});

test('200 images for two systems', async () => {
  const plan = await planOf([flakes.many.flake]);
  expect(plan.images).toHaveLength(200);
  expect(plan.images.map(({ name }) => name)).toEqual([...plan.images.map(({ name }) => name)].sort());
  const jobs = plan.images.flatMap((image) => image.jobs);
  expect(jobs).toHaveLength(400);
  expect(new Set(jobs.map(({ key }) => key)).size).toBe(400);
  expect(plan.leftOut).toEqual([]);
});

describe('a file', () => {
  const FILES: Record<string, string> = {
    'function.nix': '{ system }: { app = mkImage system "app"; tool = package system "tool"; }',
    'by-system.nix':
      '{ x86_64-linux.app = mkImage "x86_64-linux" "app"; aarch64-linux.app = mkImage "aarch64-linux" "app"; }',
    'sets.nix':
      '{ app.x86_64-linux = mkImage "x86_64-linux" "app"; app.aarch64-linux = mkImage "aarch64-linux" "app"; }',
    'nested.nix': '{ system }: { images.app = mkImage system "app"; }',
    'one.nix': '{ system }: mkImage system "app"',
    'fixed.nix': '{ app = mkImage "aarch64-linux" "app"; }',
    'broken.nix': '{ system }: { app = mkImage system "app"; bad = abort "no way"; }',
  };
  const cases = [
    ['function.nix', [], BOTH],
    ['by-system.nix', [], BOTH],
    ['sets.nix', [], BOTH],
    ['nested.nix', ['-A', 'images'], BOTH],
    ['one.nix', [], BOTH],
    ['fixed.nix', [], 'aarch64-linux'],
    ['broken.nix', [], BOTH],
  ] as const;

  test.each(cases)('%s %j', async (name, args, systems) => {
    const text = `let p = import ./packages.nix { salt = import ./salt.nix; }; inherit (p) package;
      mkImage = system: name: p.mkImage { inherit name; copyToRoot = [ (package system name) ]; };
      in ${FILES[name]}`;
    await flakes.mkimage.write(name, text);
    const file = join(flakes.mkimage.path, name);
    const plan = await planOf(['--file', file, ...args]);
    expect(imagesIn(plan)).toEqual([`app definition ${systems}`]);
    expect(plan.leftOut.map(({ attr }) => attr)).toEqual(name === 'broken.nix' ? ['bad'] : []);
    // What the plan names is what a build takes.
    const [job] = plan.images[0]?.jobs ?? [];
    const attr = job?.attr ? ['--attr', job.attr] : [];
    const out = join(flakes.mkimage.path, `out-${name}`);
    const built = await runCli(['build', '--file', file, ...attr, '--system', job?.system ?? '', '--out', out]);
    expect(built.exitCode, built.stderr).toBe(0);
  });
});

const image = (name: string) => `p.mkImage { name = "${name}"; copyToRoot = [ (p.package system "x") ]; }`;

describe('refuses', () => {
  const cases: { name: string; images?: string; args?: string[]; says: (RegExp | string)[] }[] = [
    {
      name: 'two images with one repository name',
      images: `{ a = ${image('app')}; b = ${image('app')} // { tag = "v2"; maxLayers = 3; }; }`,
      says: ['two images have the repository name app', 'nixImages.x86_64-linux.a', 'nixImages.x86_64-linux.b', '!'],
    },
    {
      name: 'an illegal repository name, with the legal one',
      images: `{ a = ${image('Team/My App')}; }`,
      says: ['"Team/My App"', 'team/my-app'],
    },
    {
      name: 'several images for one place',
      images: `{ a = ${image('a')}; b = ${image('b')}; }`,
      args: ['--to', 'ghcr.io/org/app:v1'],
      says: ['2 images would go to ghcr.io/org/app:v1', 'ghcr.io/org/app/{name}'],
    },
    {
      name: 'an unknown system',
      args: ['--systems', 'riscv64-linux'],
      says: ['riscv64-linux', BOTH.replace(' ', ' and ')],
    },
    { name: 'a runner of no system', args: ['--runners', 'x86=big'], says: ['x86=big', 'SYSTEM=LABEL'] },
    { name: 'a filter that nothing passes', args: ['--images', 'nobody'], says: ['nobody', /globs/] },
    { name: 'another placeholder', args: ['--to', 'ghcr.io/org/{image}'], says: ['{name}'] },
    { name: 'an illegal destination', args: ['--to', 'ghcr.io/-org/{name}'], says: ['lower-case'] },
    { name: 'an attribute without file', args: ['--attr', 'x'], says: ['--file'] },
  ];
  test.each(cases)('$name', async ({ images, args = [], says }) => {
    const flake = await copyFlake('mkimage');
    try {
      if (images !== undefined) {
        await flake.write(
          'flake.nix',
          `{ outputs = { self }: let p = import ./packages.nix { salt = import ./salt.nix; };
             in { nixImages.x86_64-linux = let system = "x86_64-linux"; in ${images}; }; }`,
        );
      }
      const { stdout, stderr, exitCode } = await runPlan([flake.flake, ...args]);
      for (const part of says) expect(stderr).toMatch(part);
      expect(stderr).toMatch(/^hint: /m);
      expect(stderr).not.toContain('bug:');
      expect(exitCode).not.toBe(0);
      expect(stdout).toBe('');
    } finally {
      await flake.remove();
    }
  });

  test('a name of a flake that names an image', async () => {
    const { stderr, exitCode } = await runPlan(['.#app']);
    expect(stderr).toMatch(/is not a flake/);
    expect(exitCode).toBe(2);
  });
});

test('filters choose by name, attribute and system', async () => {
  const of = async (...args: string[]) => imagesIn(await planOf([flakes.mixed.flake, ...args]));
  expect(await of('--images', 'ap*', '--systems', '!x86*')).toEqual(['app definition aarch64-linux']);
  expect(await of('--images', 'org/*')).toEqual([`org/archive archive ${BOTH}`]);
  expect(
    await of('--images', 'packages.*', '--images', '!listed', '--images', '!*.carrier', '--images', '!*.default'),
  ).toEqual([`app archive ${BOTH}`, `streamed stream ${BOTH}`]);
});
