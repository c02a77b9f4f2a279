import { expect, test } from 'vitest';
import type { Discovered } from '../../../src/nix/discover.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { chooseImages } from '../../../src/plan/images.ts';
import { joinChosen } from '../../../src/plan/join.ts';
import { leastDisk } from '../definition/disks.ts';

const [X86, ARM] = SYSTEMS;
const storePath = (letter: string, name: string) => `/nix/store/${letter.repeat(32)}-${name}`;

/** An archive of dockerTools: where it stands, what it is called, its content, what builds it and what it runs on. */
const archive = (
  attr: string,
  name: string | null,
  content: string,
  { system = X86 as string, hostSystem = null as string | null, tag = null as string | null } = {},
): Discovered => ({
  kind: 'image',
  path: attr.split('.'),
  system: null,
  image: {
    kind: 'archive',
    name,
    tag,
    drvPath: storePath(content, 'x.drv'),
    output: 'out',
    path: storePath(content, 'x'),
    system,
    hostSystem,
  },
});

/** A disk of another tool. */
const disk = (attr: string, name: string, content: string): Discovered => ({
  kind: 'image',
  path: attr.split('.'),
  system: null,
  image: {
    ...{ kind: 'disk', name, tag: null, drvPath: storePath(content, 'x.drv'), output: 'out' },
    ...{ path: storePath(content, 'x'), system: X86, hostSystem: null, filePath: null },
  },
});

const broken = (attr: string, message: string, image = false): Discovered => ({
  kind: 'broken',
  path: attr.split('.'),
  system: null,
  message,
  image,
});

const choose = (found: readonly Discovered[], more: Partial<Parameters<typeof chooseImages>[1]> = {}) =>
  chooseImages(found, { images: [], systems: SYSTEMS, source: { flake: '.', file: null }, ...more });

const jobsIn = (chosen: ReturnType<typeof choose>): string[] =>
  chosen.images.flatMap(({ name, jobs }) =>
    jobs.map(({ system, buildSystem, attr }) => `${name} ${system} on ${buildSystem ?? 'itself'}: ${attr}`),
  );

const cross = { system: X86, hostSystem: ARM };
const native = { system: ARM, hostSystem: ARM };

test('a native image and its cross-compiled sibling are one image of two systems', () => {
  const chosen = choose([
    archive('packages.x86_64-linux.app', 'app', 'a', { hostSystem: X86 }),
    archive('packages.x86_64-linux.app-arm64', 'app', 'b', cross),
  ]);
  expect(jobsIn(chosen)).toEqual([
    'app x86_64-linux on itself: packages.x86_64-linux.app',
    'app aarch64-linux on x86_64-linux: packages.x86_64-linux.app-arm64',
  ]);
  expect(chosen.images[0]?.why).toContain('cross-compiled on x86_64-linux');
  expect(chosen.leftOut).toEqual([]);
});

test('of one system the image that is built on it goes before the cross-compiled one', () => {
  const chosen = choose([
    archive('packages.x86_64-linux.app-arm64', 'app', 'b', cross),
    archive('packages.aarch64-linux.app', 'app', 'c', native),
  ]);
  expect(jobsIn(chosen)).toEqual(['app aarch64-linux on itself: packages.aarch64-linux.app']);
  expect(chosen.leftOut).toEqual([
    {
      attr: 'packages.x86_64-linux.app-arm64',
      why: 'packages.aarch64-linux.app has its name and is built on aarch64-linux itself',
      broken: false,
      image: true,
    },
  ]);
});

test('the filter of systems is about what an image runs on', () => {
  const found = [
    archive('packages.x86_64-linux.app', 'app', 'a', { hostSystem: X86 }),
    archive('packages.x86_64-linux.app-arm64', 'app', 'b', cross),
    broken('packages.x86_64-linux.other', 'boo', true),
  ];
  const chosen = choose(found, { systems: [ARM] });
  expect(jobsIn(chosen)).toEqual(['app aarch64-linux on x86_64-linux: packages.x86_64-linux.app-arm64']);
  expect(chosen.leftOut).toEqual([]);
});

test('what was put under the wrong system is left out', () => {
  const { images, leftOut } = choose([archive('packages.aarch64-linux.app', 'app', 'a', { hostSystem: X86 })]);
  expect(images).toEqual([]);
  expect(leftOut).toMatchObject([
    { why: 'is listed under aarch64-linux but holds programs of x86_64-linux', broken: true },
  ]);
});

test('an image that runs on a system without images is left out', () => {
  const { leftOut } = choose([archive('packages.x86_64-linux.a', 'a', 'a', { hostSystem: 'riscv64-linux' })]);
  expect(leftOut).toMatchObject([{ why: 'runs on riscv64-linux, which images are not built for' }]);
});

test('two images of one name are one problem, and the others are planned', () => {
  const twice = (name: string, letters: string) =>
    [X86, ARM].flatMap((system) =>
      [...letters].map((letter) => archive(`packages.${system}.${name}-${letter}`, name, letter, { system })),
    );
  const chosen = choose([
    ...twice('web', 'abc'),
    ...twice('db', 'df'),
    archive('packages.x86_64-linux.Bad', 'Bad Name', 'g'),
    archive('packages.x86_64-linux.good', 'good', 'h'),
  ]);
  expect(jobsIn(chosen)).toEqual(['good x86_64-linux on itself: packages.x86_64-linux.good']);
  expect(chosen.problems.map(({ name, why }) => `${name}: ${why}`)).toEqual([
    'Bad Name: packages.x86_64-linux.Bad has the name "Bad Name", which is not a valid repository name',
    'db: two images have the repository name db for x86_64-linux: packages.x86_64-linux.db-d and packages.x86_64-linux.db-f; for aarch64-linux: packages.aarch64-linux.db-d and packages.aarch64-linux.db-f',
    'web: two images have the repository name web for x86_64-linux: packages.x86_64-linux.web-a, packages.x86_64-linux.web-b and packages.x86_64-linux.web-c; for aarch64-linux: packages.aarch64-linux.web-a, packages.aarch64-linux.web-b and packages.aarch64-linux.web-c',
  ]);
  expect(chosen.problems.map(({ hint }) => hint).join()).toContain('bad-name');
});

test('what does not evaluate for one system and is an image for another is an image that is missing', () => {
  const { images, leftOut } = choose([
    archive('packages.x86_64-linux.app', 'org/app', 'a'),
    broken('packages.aarch64-linux.app', 'the licence is not accepted'),
    broken('packages.aarch64-linux.tool', 'unfree'),
  ]);
  expect(images[0]?.missing).toEqual([{ system: ARM, why: 'packages.aarch64-linux.app: the licence is not accepted' }]);
  expect(leftOut.map(({ attr, image }) => [attr, image])).toEqual([
    ['packages.aarch64-linux.app', true],
    ['packages.aarch64-linux.tool', false],
  ]);
});

test('what is missing because git does not track it says so', () => {
  const { leftOut } = choose([broken('nixImages.x86_64-linux.app', "path '/nix/store/x-source/a.nix' does not exist")]);
  expect(leftOut[0]?.why).toMatch(/does not exist\. Files that git does not track .*git add.*submodules/);
});

test('what needs an import says how to allow it', () => {
  const message =
    "cannot build '/nix/store/x.drv' during evaluation because the option 'allow-import-from-derivation' is disabled";
  const { leftOut } = choose([broken('packages.x86_64-linux.app', message, true)]);
  expect(leftOut[0]?.why).toMatch(/is disabled\. With allow-import-from-derivation/);
});

test('images of several flakes are one plan, and a name that two of them have is planned for neither', () => {
  const from = (flake: string, ...names: string[]) =>
    chooseImages(
      names.map((name) => archive(`packages.x86_64-linux.${name}`, name, name.slice(0, 1))),
      { images: [], systems: SYSTEMS, source: { flake, file: null } },
    );
  const { images, problems } = joinChosen([from('.', 'web', 'a'), from('./other', 'web', 'z')]);
  expect(images.map(({ name, source }) => `${name} ${source.flake}`)).toEqual(['a .', 'z ./other']);
  expect(problems).toMatchObject([{ name: 'web', why: 'two images have the repository name web: in . and ./other' }]);
});

test('a repository holds container images or disks: of one name, what the first output has', () => {
  const chosen = choose([
    disk('diskImages.x86_64-linux.app', 'app', 'a'),
    archive('dockerImages.x86_64-linux.app', 'app', 'b'),
    archive('packages.aarch64-linux.app', 'app', 'c', native),
    disk('diskImages.x86_64-linux.vm', 'vm', 'd'),
    archive('packages.x86_64-linux.vm', 'vm', 'f'),
  ]);
  expect(jobsIn(chosen)).toEqual([
    'app x86_64-linux on itself: dockerImages.x86_64-linux.app',
    'app aarch64-linux on itself: packages.aarch64-linux.app',
    'vm x86_64-linux on itself: diskImages.x86_64-linux.vm',
  ]);
  expect(chosen.leftOut.map(({ attr, why }) => `${attr}: ${why}`)).toEqual([
    'diskImages.x86_64-linux.app: dockerImages.x86_64-linux.app, a container image, has its name and goes before it',
    'packages.x86_64-linux.vm: diskImages.x86_64-linux.vm, a disk, has its name and goes before it',
  ]);
});

test('a disk and a container image of one name in one output are a problem', () => {
  const chosen = choose([
    disk('packages.x86_64-linux.app-disk', 'app', 'a'),
    archive('packages.x86_64-linux.app', 'app', 'b'),
  ]);
  expect(chosen.images).toEqual([]);
  expect(chosen.problems.map(({ why }) => why)).toEqual([
    'two images have the repository name app for x86_64-linux: packages.x86_64-linux.app and packages.x86_64-linux.app-disk',
  ]);
});

test('a disk is booted by its build where it has tests', () => {
  const found = ['tried', 'untried'].map(
    (name): Discovered => ({
      kind: 'definition',
      path: ['nixImages', X86, name],
      system: null,
      definition: { ...leastDisk, name, ...(name === 'tried' ? { tests: { boots: { prompt: true } } } : {}) },
    }),
  );
  expect(choose(found).images.map(({ name, jobs }) => [name, jobs[0]?.boots])).toEqual([
    ['tried', true],
    ['untried', undefined],
  ]);
});
