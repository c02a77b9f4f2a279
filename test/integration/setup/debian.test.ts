import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { nixConfig } from '../../../scripts/setup/nix-config.mjs';
import { SYSTEMS, type System } from '../../../src/oci/system.ts';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { type ProgramResult, runProgram } from '../../support/tools.ts';

const MACHINE: Record<System, string> = { 'x86_64-linux': 'x86_64', 'aarch64-linux': 'aarch64' };

let packages: string;
beforeAll(async () => {
  packages = await debianPackages();
  // Built here, where time is less short: the foreign one takes 42 builds under emulation.
  for (const system of SYSTEMS) await build('python3', system);
});

async function succeed(program: string, ...args: string[]): Promise<string> {
  const result: ProgramResult = await runProgram(program, args, { env: { NIX_CONFIG: nixConfig() } });
  expect(result.exitCode, result.stderr).toBe(0);
  return result.stdout.trim();
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const build = (attribute: string, system: System): Promise<string> =>
  succeed('nix-build', packages, '-A', attribute, '--argstr', 'system', system, '--no-out-link');

describe.each(SYSTEMS)('%s', (system) => {
  test('python3 runs from the store with an empty environment', async () => {
    const python = await build('python3', system);
    const program = [
      'import ssl, sqlite3, hashlib, json, platform, subprocess, sys',
      'child = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)',
      'rows = sqlite3.connect(":memory:").execute("select 1 + 1").fetchall()',
      'digest = hashlib.new("sha256", b"").hexdigest()',
      'print(json.dumps([platform.machine(), sys.prefix, rows, digest[:8], ssl.HAS_TLSv1_3, child.stdout.strip(), sys.argv[1:]]))',
    ].join('\n');
    const output = await succeed('env', '-i', `${python}/bin/python3`, '-c', program, 'a b', '');
    expect(JSON.parse(output)).toEqual([MACHINE[system], python, [[2]], 'e3b0c442', true, '42', ['a b', '']]);
    // Running it as root has not written into the store.
    await succeed('nix-store', '--verify-path', python);
  });

  test("python3's closure is its packages, and each refers to what it depends on", async () => {
    const python = await build('python3', system);
    const closure = lines(await succeed('nix-store', '-q', '--requisites', python));
    const members = lines(await build('debian.python3Paths', system));
    // 41 packages in Debian 12; other releases split theirs a little differently.
    expect(members.length).toBeGreaterThan(30);
    expect(members.length).toBeLessThan(60);
    const busybox = closure.filter((path) => /-busybox-[\d.]+$/.test(path));
    expect(busybox).toHaveLength(1);
    expect([...closure].sort()).toEqual([...members, ...busybox, python].sort());
    for (const path of members) {
      const declared = lines(await readFile(join(path, 'nix-support/deps'), 'utf8'));
      const references = lines(await succeed('nix-store', '-q', '--references', path));
      expect(references.sort()).toEqual(declared.sort());
    }
  });

  test('hello and busybox run', async () => {
    const hello = await build('hello', system);
    expect(await succeed('env', '-i', `${hello}/bin/hello`)).toBe('Hello, world!');
    const busybox = await build('busybox', system);
    expect(await succeed(`${busybox}/bin/uname`, '-m')).toBe(MACHINE[system]);
    expect(await readdir(`${busybox}/bin`)).toEqual(
      expect.arrayContaining(['busybox', 'sh', 'ls', 'cat', 'tar', 'id']),
    );
    expect(await succeed('nix-store', '-q', '--references', busybox)).toBe('');
  });

  test('the flake and the file give the same derivations', async () => {
    const flags = ['--extra-experimental-features', 'nix-command flakes'];
    for (const attribute of ['python3', 'busybox', 'hello']) {
      const installable = `path:${packages}#legacyPackages.${system}.${attribute}.drvPath`;
      const flake = await succeed('nix', ...flags, 'eval', '--raw', installable);
      expect(await succeed('nix-instantiate', packages, '-A', attribute, '--argstr', 'system', system)).toContain(
        flake,
      );
    }
    const count = `path:${packages}#debian.${system}.python3Paths`;
    const length = await succeed('nix', ...flags, 'eval', '--json', count, '--apply', 'builtins.length');
    expect(Number(length)).toBe(lines(await build('debian.python3Paths', system)).length);
  });
});

test('a second call gives the same folder at once, and so do two together', async () => {
  const start = performance.now();
  expect(await Promise.all([debianPackages(), debianPackages()])).toEqual([packages, packages]);
  expect(performance.now() - start).toBeLessThan(5000);
});
