import { mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Definition, Root } from '../../../src/definition/definition.ts';
import { readClosure, validPaths } from '../../../src/nix/closure.ts';
import { withGcRoots } from '../../../src/nix/gc-roots.ts';
import { parseInstallable } from '../../../src/nix/installable.ts';
import type { Nix } from '../../../src/nix/nix.ts';
import { realise } from '../../../src/nix/realise.ts';
import { realiseEach } from '../../../src/nix/realise-each.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { nixVersionsNotRun, nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { X86 } from '../../support/systems.ts';
import { createNixFixture, evaluateDefinition, type NixFixture } from './fixture.ts';

for (const { suite, reason } of nixVersionsNotRun()) {
  test(`not run with the Nix of ${suite}: ${reason}`, () => {
    expect(reason).not.toBe('');
  });
}

const outPaths = ({ roots }: Definition): readonly string[] => roots.map(({ outPath }) => outPath);

const outPathsOf = (groups: readonly (readonly Root[] | undefined)[]): readonly string[] =>
  groups.flatMap((roots) => roots?.map(({ outPath }) => outPath) ?? []);

/** The root of a package of the fixture, whatever became of it. */
const packageRoot = async (nix: Nix, fixture: NixFixture, name: string, salt: string): Promise<Root> => {
  const system = name.startsWith('riscv') ? 'riscv64-linux' : X86;
  const attribute = name.replace(/^riscv-/, '');
  const expression = `((import ${fixture.dir}/packages.nix { salt = ${JSON.stringify(salt)}; }).packagesOf "${system}").${attribute}`;
  const args = ['eval', '--impure', '--json', '--expr', `let p = ${expression}; in [ p.drvPath "\${p}" ]`];
  const { stdout, stderr, exitCode } = await nix.command(args);
  expect(exitCode, stderr).toBe(0);
  const [drvPath, outPath] = JSON.parse(stdout) as [string, string];
  return { drvPath, output: 'out', outPath };
};

/** Removes a path and what refers to it, such as the package's other output. */
const forget = async (nix: Nix, path: string): Promise<void> => {
  const { stdout } = await nix.store(['--query', '--referrers-closure', path]);
  await nix.store(['--delete', ...stdout.split('\n').filter((line) => line !== '')]);
};

/** Paths that were never in this store: another `salt` for each run and each test. */
const fresh = (): string => `${process.pid}-${Math.random()}`;

describe.each(nixVersionsUnderTest())('the store with $label', (version) => {
  let fixture: NixFixture;
  let nix: Nix;

  beforeAll(async () => {
    fixture = await createNixFixture();
    nix = await openNixUnderTest(version);
  });
  afterAll(() => fixture.remove());

  test('builds an image for each system and reads its closure', async () => {
    for (const system of SYSTEMS) {
      const { definition } = await evaluateDefinition(nix, parseInstallable(`${fixture.flake}#app`), system);
      await withGcRoots(async (gcRootDir) => {
        await realise(nix, definition.roots, { gcRootDir });
        const { closure, missing } = await readClosure(nix, outPaths(definition));
        expect(missing).toEqual([]);
        const paths = closure.map(({ path }) => path);
        expect(paths).toEqual([...new Set(paths)].sort());
        for (const { references } of closure) expect(paths).toEqual(expect.arrayContaining([...references]));
        for (const path of outPaths(definition)) expect(paths).toContain(path);
        const [main] = definition.copyToRoot;
        expect(await readFile(join(main ?? '', 'deps'), 'utf8')).toContain(system);
      });
    }
  });

  test('says hashes and sizes as the store has them', async () => {
    const root = await packageRoot(nix, fixture, 'python3', '');
    await withGcRoots(async (gcRootDir) => {
      await realise(nix, [root], { gcRootDir });
      const { closure } = await readClosure(nix, [root.outPath]);
      const { stdout } = await nix.store(['--query', '--hash', root.outPath]);
      const { stdout: sri } = await nix.command(['hash', 'to-sri', '--type', 'sha256', stdout.trim()]);
      const info = closure.find(({ path }) => path === root.outPath);
      expect(info?.narHash).toBe(sri.trim());
      const { stdout: size } = await nix.store(['--query', '--size', root.outPath]);
      expect(info?.narSize).toBe(Number(size.trim()));
    });
  });

  test('names what is valid nowhere', async () => {
    const root = await packageRoot(nix, fixture, 'libc', fresh());
    expect(await readClosure(nix, [root.outPath])).toMatchObject({ closure: [], missing: [root.outPath] });
  });

  test('keeps what it made from the garbage collector for as long as it is needed', async () => {
    const root = await packageRoot(nix, fixture, 'libc', fresh());
    const dir = await withGcRoots(async (gcRootDir) => {
      await realise(nix, [root], { gcRootDir });
      const links = await readdir(gcRootDir);
      expect(await Promise.all(links.map((link) => readlink(join(gcRootDir, link))))).toEqual([root.outPath]);
      const { exitCode } = await nix.store(['--delete', root.outPath]);
      expect(exitCode).not.toBe(0);
      return gcRootDir;
    });
    await expect(readdir(dir)).rejects.toThrow();
    await forget(nix, root.outPath);
    expect(await validPaths(nix, [root.outPath])).toEqual(new Set());
  });

  test('a build that fails names the derivation and ends with its log', async () => {
    const root = await packageRoot(nix, fixture, 'aboveBroken', fresh());
    const error = await withGcRoots((gcRootDir) => realise(nix, [root], { gcRootDir })).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'build' });
    expect(error.message).toMatch(/^building \/nix\/store\/.*-broken\.drv failed: .*exit code 3/);
    expect(error.message).toContain('line 30');
    expect(error.message).toContain('line 6\n');
    expect(error.message).not.toContain('line 5\n');
  });

  test.each([
    [
      'riscv-libc',
      'system',
      /-libc-2\.0\.drv must be built on riscv64-linux, and this machine builds for x86_64/,
      /binfmt/,
    ],
    ['wrongHash', 'build', /-wrong-hash\.drv has the wrong hash: specified sha256-A+=, got/, /hash/],
    ['full', 'file', /-full\.drv failed: .*exit code 1.*No space left on device/s, /Free some space/],
  ])('realising %s fails with %s', async (name, code, message, hint) => {
    const root = await packageRoot(nix, fixture, name, fresh());
    await expect(withGcRoots((gcRootDir) => realise(nix, [root], { gcRootDir }))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test('one process makes what several images need, and says of each that fails what it is', async () => {
    const salt = fresh();
    const names = ['python3', 'aboveBroken', 'wrongHash', 'sourceB'];
    const groups = await Promise.all(names.map(async (name) => [await packageRoot(nix, fixture, name, salt)]));
    const calls: (readonly string[])[] = [];
    const store: Nix['store'] = (args, options) => {
      calls.push(args);
      return nix.store(args, options);
    };
    await withGcRoots(async (gcRootDir) => {
      const failures = await realiseEach({ ...nix, store }, groups, { gcRootDir, valid: new Set() });
      expect(failures.map((failure) => failure?.message.split('\n')[0])).toEqual([
        undefined,
        expect.stringMatching(/^building \/nix\/store\/.*-broken\.drv failed: .*exit code 3/),
        expect.stringMatching(/-wrong-hash\.drv has the wrong hash/),
        undefined,
      ]);
      expect(failures[1]?.message).toContain('line 30');
      expect(calls.filter((args) => args.includes('--realise'))).toHaveLength(1);
      expect(await validPaths(nix, outPathsOf(groups))).toEqual(new Set(outPathsOf([groups[0], groups[3]])));
      // What is there is kept.
      expect((await nix.store(['--delete', ...outPathsOf([groups[0]])])).exitCode).not.toBe(0);
    });
  });

  test('a build that ends all others with it, as one for another system may, fails alone', async () => {
    const salt = fresh();
    const names = ['riscv-libc', 'python3'];
    const groups = await Promise.all(names.map(async (name) => [await packageRoot(nix, fixture, name, salt)]));
    const failures = await withGcRoots((gcRootDir) => realiseEach(nix, groups, { gcRootDir, valid: new Set() }));
    expect(failures.map((failure) => failure?.code)).toEqual(['system', undefined]);
  });

  test('a path that nothing makes, and a derivation that is gone', async () => {
    const known = await packageRoot(nix, fixture, 'libc', fresh());
    const lost: Root = { drvPath: null, output: null, outPath: known.outPath };
    await expect(withGcRoots((gcRootDir) => realise(nix, [lost], { gcRootDir }))).rejects.toThrow(
      `${known.outPath} is not in the store or at a substituter`,
    );
    await nix.store(['--delete', known.drvPath ?? '']);
    await expect(withGcRoots((gcRootDir) => realise(nix, [known], { gcRootDir }))).rejects.toThrow(
      `${known.drvPath} is no longer in the store`,
    );
  });

  test('an image that was evaluated before can be built after its derivations were collected', async () => {
    const installable = parseInstallable(`${fixture.flake}#default`);
    const { definition } = await evaluateDefinition(nix, installable, X86);
    const [root] = definition.roots;
    await forget(nix, root?.outPath ?? '');
    await forget(nix, root?.drvPath ?? '');
    expect(await validPaths(nix, [root?.drvPath ?? ''])).toEqual(new Set());
    const again = await evaluateDefinition(nix, installable, X86);
    expect(again.definition).toEqual(definition);
    expect(await validPaths(nix, [root?.drvPath ?? ''])).toEqual(new Set([root?.drvPath]));
    await withGcRoots((gcRootDir) => realise(nix, again.definition.roots, { gcRootDir }));
    expect((await readClosure(nix, outPaths(again.definition))).missing).toEqual([]);
  });

  describe('with a binary cache', () => {
    const KEY = 'test-key';
    let cache: string;
    let publicKey: string;

    beforeAll(async () => {
      cache = join(fixture.dir, 'cache');
      const [secret, open] = [join(fixture.dir, 'secret'), join(fixture.dir, 'public')];
      await nix.store(['--generate-binary-cache-key', KEY, secret, open]);
      publicKey = (await readFile(open, 'utf8')).trim();
    });

    /** Builds something, copies it to a cache and removes it here. */
    const onlyInCache = async (url: string): Promise<Root> => {
      const root = await packageRoot(nix, fixture, 'python3', fresh());
      const closure = await withGcRoots(async (gcRootDir) => {
        await realise(nix, [root], { gcRootDir });
        const { exitCode, stderr } = await nix.command(['copy', '--to', url, root.outPath]);
        expect(exitCode, stderr).toBe(0);
        return (await readClosure(nix, [root.outPath])).closure;
      });
      for (const { path } of closure) await forget(nix, path);
      expect(await validPaths(nix, [root.outPath])).toEqual(new Set());
      return root;
    };

    const withSettings = (lines: readonly string[], log = memoryLog()) =>
      openNixUnderTest(version, { env: { NIX_CONFIG: `${TEST_NIX_CONFIG}${lines.join('\n')}\n` }, log });

    const signedUrl = () => `file://${cache}?secret-key=${join(fixture.dir, 'secret')}`;

    test('reads a closure of which nothing is here, and realises it from there', async () => {
      const root = await onlyInCache(signedUrl());
      const settings = [`substituters = file://${cache}`, `trusted-public-keys = ${publicKey}`];
      const cached = await withSettings(settings);
      const { closure, missing } = await readClosure(cached, [root.outPath]);
      expect(missing).toEqual([]);
      expect(closure.map(({ path }) => path.slice(44)).sort()).toEqual(['libc-2.0', 'python3-3.11']);
      expect(await validPaths(cached, [root.outPath])).toEqual(new Set());
      await withGcRoots((gcRootDir) => realise(cached, [{ ...root, drvPath: null, output: null }], { gcRootDir }));
      expect(await readClosure(nix, [root.outPath])).toMatchObject({ closure, missing: [] });
    });

    test('does not believe what nobody it trusts has signed, unless it is told to', async () => {
      const unsigned = join(fixture.dir, 'unsigned');
      const root = await onlyInCache(`file://${unsigned}`);
      const log = memoryLog();
      const doubting = await withSettings(
        [`substituters = file://${unsigned}`, `trusted-public-keys = ${publicKey}`],
        log,
      );
      expect((await readClosure(doubting, [root.outPath])).missing).toEqual([root.outPath]);
      expect(log.lines.join('\n')).toContain('has no trusted signature at file://');
      const trusting = await withSettings([`substituters = file://${unsigned}?trusted=1`]);
      expect((await readClosure(trusting, [root.outPath])).missing).toEqual([]);
      const careless = await withSettings([`substituters = file://${unsigned}`, 'require-sigs = false']);
      expect((await readClosure(careless, [root.outPath])).missing).toEqual([]);
    });

    test('puts a closure together from two caches, and goes on when a third is broken', async () => {
      const root = await onlyInCache(signedUrl());
      const halves = ['a', 'b'].map((half) => join(fixture.dir, `half-${half}`));
      for (const half of halves) await mkdir(half, { recursive: true });
      const { closure } = await readClosure(
        await withSettings([`substituters = file://${cache}`, `trusted-public-keys = ${publicKey}`]),
        [root.outPath],
      );
      for (const [index, { path }] of closure.entries()) {
        const name = `${path.slice('/nix/store/'.length, '/nix/store/'.length + 32)}.narinfo`;
        const narinfo = await readFile(join(cache, name), 'utf8');
        await writeFile(join(halves[index % 2] ?? '', name), narinfo);
      }
      for (const half of halves) await writeFile(join(half, 'nix-cache-info'), 'StoreDir: /nix/store\n');
      const broken = 'file:///dev/null/broken';
      const urls = [broken, ...halves.map((half) => `file://${half}`)].join(' ');
      const log = memoryLog();
      const split = await withSettings([`substituters = ${urls}`, `trusted-public-keys = ${publicKey}`], log);
      expect(await readClosure(split, [root.outPath])).toMatchObject({ closure, missing: [] });
      expect(log.lines.join('\n')).toContain('substituter file:///dev/null/broken is skipped');
      await rm(join(halves[1] ?? '', 'nix-cache-info'));
    });
  });
});
