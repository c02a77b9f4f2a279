import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Root } from '../../../src/definition/definition.ts';
import { entriesExpression } from '../../../src/nix/discovery-expression.ts';
import { evaluateImages } from '../../../src/nix/evaluate.ts';
import { fileInstallable, parseInstallable } from '../../../src/nix/installable.ts';
import type { Nix } from '../../../src/nix/nix.ts';
import { probeExpression } from '../../../src/nix/probe.ts';
import { searchPlaces } from '../../../src/nix/search-places.ts';
import { wholeFlake } from '../../../src/nix/version.ts';
import { CODECS } from '../../../src/oci/compression.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { nixVersionsNotRun, nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { X86 } from '../../support/systems.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { createNixFixture, evaluateDefinition, type NixFixture, systemsOf } from './fixture.ts';

for (const { suite, reason } of nixVersionsNotRun()) {
  test(`not run with the Nix of ${suite}: ${reason}`, () => {
    expect(reason).not.toBe('');
  });
}

const rootNames = (roots: readonly Root[]): readonly string[] =>
  roots
    .map(({ drvPath, output, outPath }) => `${outPath.slice(44)} ${drvPath?.slice(44) ?? '-'} ${output ?? '-'}`)
    .sort();

/** The same Nix, and how often it has evaluated. */
const counting = (nix: Nix): { readonly counted: Nix; readonly count: () => number } => {
  let calls = 0;
  const command: Nix['command'] = (args, options) => {
    if (args[0] === 'eval') calls += 1;
    return nix.command(args, options);
  };
  return { counted: { ...nix, command }, count: () => calls };
};

const ERRORS = [
  ['#ap', /no such image; nixImages\.x86_64-linux has aborts, app,.*packages\.x86_64-linux has/, /Did you mean app/],
  ['#nowhere.deep', /no such image/, /nixImages\.<system>/],
  ['#app.x.y', /app is|no such image/, /mkImage|nixImages/],
  ['#python3', /packages\.x86_64-linux\.python3 is the derivation python3-3\.11, not an image/, /Wrap it: .*mkImage/],
  ['#program', /containers\.x86_64-linux\.program is the derivation python3-3\.11, not an image/, /Wrap it: .*mkImage/],
  ['#text', /nixImages\.x86_64-linux\.text is a string, not an image/, /mkImage/],
  ['#function', /is a function, not an image/, /mkImage/],
  [
    '#throws',
    /#nixImages\.x86_64-linux\.throws failed: the licence is not accepted$/,
    /nix eval --show-trace path:.*throws/,
  ],
  ['#aborts', /failed: .*no way/, /--show-trace/],
  [
    '#bad-name',
    /nixImages\.x86_64-linux\.bad-name is not a valid image definition: name: expected a repository/,
    /Correct it in the arguments of mkImage/,
  ],
  ['#bad-argument', /unknown argument 'copyToRot', did you mean 'copyToRoot'\?/, /--show-trace/],
  [
    '#pasted',
    new RegExp(
      [
        'mkImage: some arguments are written in another way here:',
        'name: leave the registry ghcr\\.io out and write "org/app"; the destination .*',
        'architecture: write system = .*',
        'buildVMMemorySize: .*',
        'compressor: .*',
        'contents: write copyToRoot',
        'diskSize: .*',
        'enableFakechroot: .*',
        'extraCommands: .*files.*',
        'fakeRootCommands: .*',
        'fromImageName: .*',
        'fromImageTag: .*',
        'gid: .*',
        'includeStorePaths: .*',
        'keepContentsDirlinks: .*',
        'meta: .*',
        'passthru: .*',
        'runAsRoot: .*users and groups.*',
        'uid: .*',
        "copyToRot: is unknown, did you mean 'copyToRoot'\\?",
      ].join('\\n'),
    ),
    /--show-trace/,
  ],
  ['#stream-base', /fromImage: 'libc[^']*' is a script that prints an image; .*buildLayeredImage/, /--show-trace/],
  ['#listed-base', /fromImage: 'libc[^']*' is nix2container's list of layers; give an archive/, /--show-trace/],
  ['#bad-field', /unknown field 'EntryPoint', did you mean 'Entrypoint'\?/, /--show-trace/],
  ['#bad-base', /'debian:12' has no digest/, /--show-trace/],
  ['#bad-port', /config\.ExposedPorts\."8000-8010\/tcp": expected a port from 1 to 65535/, /--show-trace/],
  ['#bad-user', /users\.My\.User: expected a name for \/etc\/passwd/, /--show-trace/],
  ['#bad-file', /files\."\/x": expected exactly one of/, /--show-trace/],
  ['#bad-function', /config\.Cmd: is a function/, /--show-trace/],
  ['#bad-test', /tests\.runs\.command: expected a list of strings such as/, /--show-trace/],
  ['#bad-system', /packages of riscv64-linux cannot run in an image/, /--show-trace/],
  ['#foreign', /is listed under x86_64-linux but holds programs of aarch64-linux/, /package set/],
  ['-nowhere#app', /failed: .*(No such file|does not exist)/, /[Cc]heck the path/],
] as const;

describe.each(nixVersionsUnderTest())('evaluation with $label', (version) => {
  let fixture: NixFixture;
  let nix: Nix;

  beforeAll(async () => {
    fixture = await createNixFixture();
    nix = await openNixUnderTest(version);
  });
  afterAll(() => fixture.remove());

  const evaluate = (name: string, system: (typeof SYSTEMS)[number] = X86) =>
    evaluateDefinition(nix, parseInstallable(`${fixture.flake}${name}`), system);

  test('reads an image of a flake for each system, and the same one from a file', async () => {
    for (const system of SYSTEMS) {
      const found = await evaluate('#app', system);
      expect(found).toMatchObject({ system, attribute: `nixImages.${system}.app` });
      expect(found.definition).toMatchObject({ name: 'team/app', tag: '1.0', system });
      const file = await evaluateDefinition(nix, fileInstallable(fixture.file, 'app'), system);
      expect(file).toEqual({ ...found, attribute: 'app' });
    }
  });

  test('finds every root and its own derivation', async () => {
    const { definition } = await evaluate('#app');
    expect(rootNames(definition.roots)).toEqual([
      'libc-2.0-dev libc-2.0.drv dev',
      'python3-3.11 python3-3.11.drv out',
      'rootfs - -',
      'source source.drv out',
      'source source.drv out',
    ]);
    for (const { drvPath, output, outPath } of definition.roots) {
      if (drvPath === null || output === null) continue;
      const { stdout } = await nix.store(['--query', '--binding', output, drvPath]);
      expect(stdout.trim()).toBe(outPath);
    }
  });

  test.each([
    ['long', ['libc-2.0 libc-2.0.drv out']],
    ['based', ['libc-2.0 libc-2.0.drv out']],
    ['pinned', []],
    ['drv', ['libc-2.0.drv - -']],
    ['plain', ['libc-2.0 - -']],
    ['sources', ['flake.nix - -', 'libc-2.0 libc-2.0.drv out', 'rootfs - -']],
  ])('roots of %s', async (name, roots) => {
    expect(rootNames((await evaluate(`#${name}`)).definition.roots)).toEqual(roots);
  });

  // Nix 2.35 hashes the source of a flake, and copies it to the store only where a string of what it prints has it in its context.
  describe('of a flake that is in its own image', () => {
    const contextOf = async (expression: string): Promise<unknown> => {
      const apply = `top: builtins.getContext (builtins.toJSON ((${expression}) top))`;
      const { stdout } = await nix.command([
        'eval',
        '--json',
        '--apply',
        apply,
        ...wholeFlake(nix.version, fixture.flake),
      ]);
      return JSON.parse(stdout);
    };
    const sourceOf = async (name: string): Promise<string> => {
      const { roots } = (await evaluate(name)).definition;
      return roots.find(({ drvPath }) => drvPath === null)?.outPath ?? '';
    };

    test('what is printed leads to its source, and to no derivation', async () => {
      const source = await sourceOf('#whole');
      expect(source).toMatch(/^\/nix\/store\/\w{32}-source$/);
      const places = searchPlaces(parseInstallable(`${fixture.flake}#whole`), X86, true);
      expect(await contextOf(probeExpression([places]))).toEqual({ [source]: { path: true } });
      const path = ['nixImages', X86, 'whole'];
      const found = entriesExpression([{ path, system: null }], { systems: SYSTEMS, variants: [], caught: true });
      expect(await contextOf(found)).toEqual({ [source]: { path: true } });
    });

    test('the same where one string names it and what is built', async () => {
      const source = await sourceOf('#whole-and-built');
      const places = searchPlaces(parseInstallable(`${fixture.flake}#whole-and-built`), X86, true);
      expect(await contextOf(probeExpression([places]))).toMatchObject({ [source]: { path: true } });
    });
  });

  test('fills in what was left out', async () => {
    const { definition } = await evaluate('#app');
    expect(definition.users).toEqual({
      app: { uid: 1000, gid: 1000, description: '', home: '/', shell: '/bin/sh' },
    });
    expect(definition.config.Env).toContain('HOME=/tmp');
    expect(definition.files['/bin/tool']).toMatchObject({ mode: '4755', capabilities: 'cap_net_raw+ep', uid: 0 });
    expect(definition).toMatchObject({ maxLayers: 40, rootFiles: 'link', includeNixDB: false });
    expect(definition.compression).toEqual({ name: 'gzip', level: CODECS.gzip.usual });
  });

  test.each([
    ['', 'nixImages.x86_64-linux.default'],
    ['#', 'nixImages.x86_64-linux.default'],
    ['#nixImages.x86_64-linux.app', 'nixImages.x86_64-linux.app'],
    ['#packages.x86_64-linux.with-image', 'packages.x86_64-linux.with-image'],
    ['#with-image', 'packages.x86_64-linux.with-image'],
    ['#definition', 'packages.x86_64-linux.definition'],
    ['#"dotted.name"', 'nixImages.x86_64-linux."dotted.name"'],
    ['#boxed', 'containers.x86_64-linux.boxed'],
    ['#containers.x86_64-linux.boxed', 'containers.x86_64-linux.boxed'],
    ['#also-container', 'containers.x86_64-linux.also-container'],
    ['#picture', 'images.x86_64-linux.picture'],
    ['#images.x86_64-linux.picture', 'images.x86_64-linux.picture'],
    ['#only-there', 'legacyPackages.x86_64-linux.only-there'],
    ['#dockerImages.deep', 'legacyPackages.x86_64-linux.dockerImages.deep'],
    ['#legacyPackages.x86_64-linux.dockerImages.deep', 'legacyPackages.x86_64-linux.dockerImages.deep'],
    ['#packages.x86_64-linux.wrapped.passthru.image', 'packages.x86_64-linux.wrapped.passthru.image'],
    ['#wrapped.passthru.image', 'packages.x86_64-linux.wrapped.passthru.image'],
    ['#hydraJobs.jobs.app', 'hydraJobs.jobs.app'],
    ['#hydraJobs.jobs.app.x86_64-linux', 'hydraJobs.jobs.app.x86_64-linux'],
  ])('FLAKE%s is %s', async (name, attribute) => {
    expect((await evaluate(name)).attribute).toBe(attribute);
  });

  test.each([
    ['#app', SYSTEMS],
    ['#one-system', [X86]],
    ['#with-image', SYSTEMS],
    ['#nixImages.aarch64-linux.app', ['aarch64-linux']],
    ['#legacyPackages.aarch64-linux.only-there', ['aarch64-linux']],
    ['#boxed', SYSTEMS],
    ['#hydraJobs.jobs.app', SYSTEMS],
    ['#hydraJobs.jobs.app.aarch64-linux', ['aarch64-linux']],
  ])('systems of FLAKE%s', async (name, systems) => {
    expect(await systemsOf(nix, parseInstallable(`${fixture.flake}${name}`))).toEqual(systems);
  });

  test.each([
    ['app', SYSTEMS],
    ['nested.set', [X86]],
    ['fixed', ['aarch64-linux']],
  ])('systems of --file -A %s', async (attribute, systems) => {
    expect(await systemsOf(nix, fileInstallable(fixture.file, attribute))).toEqual(systems);
  });

  test.each(ERRORS)('FLAKE%s is refused', async (name, message, hint) => {
    await expect(evaluate(name)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test.each([
    ['ap', /no such image; the file has app, fixed, nested,/],
    ['nested.st', /no such image; nested has set/],
    ['python3', /python3 is the derivation python3-3\.11, not an image/],
    ['nested', /nested is a set with set, not an image/],
  ])('--file -A %s is refused', async (attribute, message) => {
    await expect(evaluateDefinition(nix, fileInstallable(fixture.file, attribute), X86)).rejects.toThrow(message);
    await expect(systemsOf(nix, fileInstallable(fixture.file, attribute))).rejects.toThrow(message);
  });

  test('a derivation without marks is an image where its path says so', async () => {
    const installable = parseInstallable(`${fixture.flake}#legacyPackages.x86_64-linux.dockerImages.app`);
    const { imageFor } = await evaluateImages(nix, installable, { systems: [X86] });
    expect(await imageFor(X86)).toMatchObject({ kind: 'tool-image', toolImage: { kind: 'archive', name: 'app' } });
  });

  test.each([
    ['a flake', '#app', 1],
    ['a name that stands in its packages', '#with-image', 1],
    ['a path of its own', '#hydraJobs.jobs.app', 1],
    ['an image that one system lacks', '#one-system', 1],
    ['one that ends the evaluation for one system', '#half', 2],
  ])('%s costs %s: as many evaluations as it must', async (_what, name, calls) => {
    const { counted, count } = counting(nix);
    const evaluations = await evaluateImages(counted, parseInstallable(`${fixture.flake}${name}`), {
      systems: SYSTEMS,
    });
    await evaluations.imageFor(X86);
    expect(count()).toBe(calls);
  });

  test('a file of both systems costs one evaluation', async () => {
    const { counted, count } = counting(nix);
    const { systems } = await evaluateImages(counted, fileInstallable(fixture.file, 'app'), { systems: SYSTEMS });
    expect(systems).toEqual(SYSTEMS);
    expect(count()).toBe(1);
  });

  test('where one system ends the evaluation, the other is there, and Nix says why', async () => {
    const installable = parseInstallable(`${fixture.flake}#half`);
    const { systems, imageFor } = await evaluateImages(nix, installable, { systems: SYSTEMS });
    expect(systems).toEqual(SYSTEMS);
    expect(await imageFor(X86)).toMatchObject({ definition: { name: 'half' } });
    await expect(imageFor('aarch64-linux')).rejects.toMatchObject({
      code: 'evaluation',
      message: expect.stringMatching(/#nixImages\.aarch64-linux\.half failed: .*no arm/),
      hint: expect.stringMatching(/--show-trace .*#nixImages\.aarch64-linux\.half/),
    });
  });

  test('a content-addressed derivation is refused by its name', async () => {
    const config = `${version.env.NIX_CONFIG}extra-experimental-features = ca-derivations\n`;
    // In a store of its own: the feature migrates a store's database, for good.
    const temp = await uniqueTempDir('floating');
    const elsewhere = { store: `local?root=${temp.path}` };
    try {
      const withFeature = await openNixUnderTest(version, { env: { NIX_CONFIG: config }, elsewhere });
      const floating = evaluateDefinition(withFeature, parseInstallable(`${fixture.flake}#floating`), X86);
      await expect(floating).rejects.toThrow(/path of .*-floating\.drv is known only after it is built/);
    } finally {
      await temp.remove();
    }
  });

  test('tests are brought into one form, and what they name is no root', async () => {
    const { definition } = await evaluate('#tested');
    expect(rootNames(definition.roots)).toEqual(['libc-2.0 libc-2.0.drv out']);
    expect(definition.tests).toMatchObject({
      runs: { stdout: { contains: 'hi' }, exitCode: 0, timeout: 60 },
      serves: { port: { number: 80, status: 200 } },
    });
  });

  test('an image that only the other system has is said to be there', async () => {
    const one = evaluate('#one-system', 'aarch64-linux');
    await expect(one).rejects.toThrow(
      /#one-system for aarch64-linux: no such image \(there is one for x86_64-linux\); nixImages\.aarch64-linux has/,
    );
    await expect(one).rejects.toMatchObject({ hint: expect.stringMatching(/^Choose .*--system x86_64-linux\./) });
  });

  test('a system that the installable does not fix is refused', async () => {
    await expect(evaluate('#nixImages.aarch64-linux.app')).rejects.toMatchObject({ code: 'input' });
  });
});
