import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createExec } from '../../../src/host/exec.ts';
import { flakeFingerprint, flakeFolder } from '../../../src/serve/flake-files.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

const exec = createExec({ env: process.env, signal: new AbortController().signal });

test.each([
  ['.', '/home', false],
  ['./sub', '/home/sub', false],
  ['./a b é%20', '/home/a b é%20', false],
  ['..', '/', false],
  ['/srv/flake?dir=x', '/srv/flake', false],
  ['path:/srv/flake', '/srv/flake', true],
  ['path:sub', '/home/sub', true],
  ['path:/srv/a%20b%20%C3%A9', '/srv/a b é', true],
  ['git+file:///srv/flake?ref=main', '/srv/flake', false],
  ['git+file:///srv/a%20b', '/srv/a b', false],
  ['git+file:/srv/flake', '/srv/flake', false],
])('the folder of %s', (flake, path, isWhole) => {
  expect(flakeFolder(flake, '/home')).toEqual({ path, isWhole });
});

test.each(['github:org/repo', 'nixpkgs', 'git+https://example.com/x', 'path:/srv/100%'])('no folder: %s', (flake) => {
  expect(flakeFolder(flake, '/home')).toBeUndefined();
});

test('changes with each file that Nix reads, and with no other', async () => {
  await using temp = await uniqueTempDir('fingerprint');
  const at = (name: string): string => join(temp.path, name);
  const git = (...args: string[]) =>
    runProgram('git', ['-C', temp.path, '-c', 'user.name=x', '-c', 'user.email=x@x', ...args]);
  const now = (isWhole = false) => flakeFingerprint({ path: temp.path, isWhole }, exec);
  await mkdir(at('sub'));
  await writeFile(at('sub/flake.nix'), '{ }');

  // All files of a folder that git does not know.
  const plain = await now();
  expect(await now()).toBe(plain);
  await writeFile(at('sub/flake.nix'), '{ a = 1; }');
  expect(await now()).not.toBe(plain);

  await git('init', '--quiet');
  await git('add', '.');
  const added = await now();
  const whole = await now(true);
  await writeFile(at('untracked'), 'x');
  expect(await now()).toBe(added);
  expect(await now(true)).not.toBe(whole);
  // Of the same size, and the time is set back.
  await writeFile(at('sub/flake.nix'), '{ a = 2; }');
  await utimes(at('sub/flake.nix'), 1, 1);
  const changed = await now();
  expect(changed).not.toBe(added);
  // A flake may use its own revision.
  await git('commit', '--quiet', '--all', '--message', 'one');
  const committed = await now();
  expect(committed).not.toBe(changed);
  expect(await flakeFingerprint({ path: at('sub'), isWhole: false }, exec)).toBe(committed);
  await git('add', 'untracked');
  expect(await now()).not.toBe(committed);
  await rm(at('sub/flake.nix'));
  expect(await now()).not.toBe(committed);
});

test('changes with the files of a submodule, which a flake may read', async () => {
  await using temp = await uniqueTempDir('submodule');
  const git = (...args: string[]) => runProgram('git', ['-C', temp.path, '-c', 'protocol.file.allow=always', ...args]);
  const commit = ['-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '--quiet', '--message', 'one'];
  await git('init', '--quiet', 'part');
  await writeFile(join(temp.path, 'part/file'), 'a');
  await git('-C', 'part', 'add', '.');
  await git('-C', 'part', ...commit);
  await git('init', '--quiet', 'whole');
  const added = await git('-C', 'whole', 'submodule', 'add', '--quiet', '../part', 'part');
  expect(added.exitCode, added.stderr).toBe(0);
  const folder = { path: join(temp.path, 'whole'), isWhole: false };
  const before = await flakeFingerprint(folder, exec);
  await writeFile(join(temp.path, 'whole/part/file'), 'b');
  expect(await flakeFingerprint(folder, exec)).not.toBe(before);
});

test('a folder that is not there cannot be known', async () => {
  expect(await flakeFingerprint({ path: '/nonexistent/flake', isWhole: false }, exec)).toBeUndefined();
});
