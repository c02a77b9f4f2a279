// Real Nix, in each version: what its store says of what was built here, and how long it took. The builds wait for half a second or
// one, or there would be nothing to measure.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BuiltPaths, findBuiltPaths, LARGEST_PATH } from '../../../src/cache/find-built.ts';
import { storePathName } from '../../../src/definition/store-path.ts';
import { buildSeconds } from '../../../src/nix/build-seconds.ts';
import { realise } from '../../../src/nix/realise.ts';
import { type NixUnderTest, nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { programPath } from '../../support/tools.ts';
import { forgetPaths, nixEnv } from './fixture.ts';

const run = promisify(execFile);

const EXPRESSION = `{ salt, busybox }:
let
  bb = builtins.path { path = busybox; name = "busybox-static"; };
  make = name: script: more: derivation ({
    inherit name salt;
    system = builtins.currentSystem;
    builder = "\${bb}/busybox";
    args = [ "sh" "-euc" (builtins.replaceStrings [ "BB" ] [ "\${bb}/busybox" ] script) ];
  } // more);
  lib = make "lib" "BB sleep 0.5; echo $salt > $out; echo $salt > $dev" { outputs = [ "out" "dev" ]; };
  script = make "script" "echo $salt > $out" { allowSubstitutes = false; preferLocalBuild = true; };
  config = make "config" "echo $salt > $out" { allowSubstitutes = false; };
  app = make "app" "BB sleep 1; echo $lib $config > $out; echo $script" { inherit lib config script; };
  layer = make "layer.tar" "echo $salt > $out; echo $app" { inherit app; };
  closure = make "closure-info" "echo $app > $out" { inherit app; };
  image = make "image.tar" "echo $salt > $out; echo $layer $closure" { inherit layer closure; };
in { inherit image app lib; }
`;

describe.each(nixVersionsUnderTest())('what $label has built', (version: NixUnderTest) => {
  let folder: string;
  let image: string;
  let since: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cache-built-'));
    await writeFile(join(folder, 'built.nix'), EXPRESSION);
    const busybox = join(folder, 'bb');
    await mkdir(busybox);
    await copyFile(programPath('busybox'), join(busybox, 'busybox'));
    since = Date.now() - 1000;
    const args = ['--no-out-link', join(folder, 'built.nix'), '--arg', 'busybox', busybox, '-A', 'image'];
    const salt = ['--argstr', 'salt', randomBytes(8).toString('hex')];
    const { stdout } = await run('nix-build', [...args, ...salt], { env: nixEnv(version) });
    image = stdout.trim();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const find = async (substituters: readonly string[] = [], images = [image]): Promise<BuiltPaths> => {
    const settings = `${TEST_NIX_CONFIG}substituters = ${substituters.join(' ')}\n`;
    const nix = await openNixUnderTest(version, { env: { NIX_CONFIG: settings } });
    const built = await findBuiltPaths(nix, {
      images: new Set(images),
      cached: new Set(),
      largest: LARGEST_PATH,
      since,
      ownCaches: [],
      fetch: globalThis.fetch,
      signal: new AbortController().signal,
    });
    // The store of this machine has more than this test's.
    const { stdout } = await run('nix-store', ['-q', '--deriver', image], { env: nixEnv(version) });
    const closure = await run('nix-store', ['-qR', '--include-outputs', stdout.trim()], { env: nixEnv(version) });
    const ours = new Set(closure.stdout.split('\n'));
    const left = [...built.left].map(([why, list]) => [why, list.filter(({ path }) => ours.has(path))] as const);
    return { ...built, chosen: built.chosen.filter(({ path }) => ours.has(path)), left: new Map(left) };
  };
  const names = (paths: readonly { readonly path: string }[] = []): string[] =>
    paths.map(({ path }) => storePathName(path)).sort();

  test('is what is worth storing, with the seconds that it took', async () => {
    const { chosen, left } = await find();
    expect(names(chosen)).toEqual(['app', 'config', 'lib', 'lib-dev']);
    expect(names(left.get('image'))).toEqual(['closure-info', 'image.tar', 'layer.tar']);
    expect(names(left.get('trivial'))).toEqual(['script']);
    const seconds = Object.fromEntries(chosen.map((path) => [storePathName(path.path), path.seconds]));
    for (const [name, at] of [
      ['app', 1],
      ['lib', 0.5],
      ['lib-dev', 0.5],
    ] as const) {
      expect(seconds[name], name).toBeGreaterThanOrEqual(at - 0.05);
      expect(seconds[name], name).toBeLessThan(at + 5);
    }
    expect(seconds.lib).toBe(seconds['lib-dev']);
    const derivers = chosen.flatMap(({ deriver }) => deriver ?? []);
    expect((await buildSeconds(derivers, { since: Date.now() + 1000 })).size).toBe(0);
  });

  test('is timed by when it began where the log is of an earlier build', async () => {
    const args = [
      '--argstr',
      'salt',
      randomBytes(8).toString('hex'),
      '--arg',
      'busybox',
      join(folder, 'bb'),
      '-A',
      'lib',
    ];
    const env = nixEnv(version);
    const { stdout } = await run('nix-instantiate', [join(folder, 'built.nix'), ...args], { env });
    const drvPath = stdout.trim().split('!')[0] ?? '';
    const { stdout: outputs } = await run('nix-store', ['--realise', drvPath], { env });
    await forgetPaths(version, outputs.trim().split('\n'));
    const rebuilt = Date.now();
    const starts = new Map<string, number>();
    const nix = await openNixUnderTest(version, { onBuild: (path) => starts.set(path, Date.now()) });
    const root = { drvPath, output: 'out', outPath: outputs.trim().split('\n')[0] ?? '' };
    await realise(nix, [root], { gcRootDir: join(folder, 'roots') });
    expect([...starts.keys()]).toEqual([drvPath]);
    expect((await buildSeconds([drvPath], { since: rebuilt })).size).toBe(0);
    const seconds = (await buildSeconds([drvPath], { since: rebuilt, starts })).get(drvPath);
    expect(seconds).toBeGreaterThanOrEqual(0.45);
    expect(seconds).toBeLessThan((Date.now() - rebuilt) / 1000);
    // And not from when the first build began, though that is of this job too.
    expect((await buildSeconds([drvPath], { since: 0, starts })).get(drvPath)).toBe(seconds);
  });

  test('is not what a substituter has', async () => {
    const cache = `file://${join(folder, 'upstream')}`;
    const { chosen } = await find();
    const lib = chosen.find(({ path }) => storePathName(path) === 'lib')?.path ?? '';
    await run('nix', ['copy', '--to', cache, lib], { env: nixEnv(version) });
    const { chosen: rest, left } = await find([cache]);
    expect(names(rest)).toEqual(['app', 'config', 'lib-dev']);
    expect(names(left.get('upstream'))).toEqual(['lib']);
  });
});
