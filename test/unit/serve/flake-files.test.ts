import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createExec } from '../../../src/host/exec.ts';
import { flakeFingerprint, flakeFolder } from '../../../src/serve/flake-files.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

const exec = createExec({ env: process.env, signal: new AbortController().signal });

test.each([
  ['.', '/home'],
  ['./sub', '/home/sub'],
  ['..', '/'],
  ['/srv/flake?dir=x', '/srv/flake'],
  ['path:/srv/flake', '/srv/flake'],
  ['path:sub', '/home/sub'],
  ['git+file:///srv/flake?ref=main', '/srv/flake'],
  ['git+file:/srv/flake', '/srv/flake'],
  ['github:org/repo', undefined],
  ['nixpkgs', undefined],
  ['git+https://example.com/x', undefined],
])('the folder of %s', (flake, folder) => {
  expect(flakeFolder(flake, '/home')).toBe(folder);
});

test('changes with each file that Nix reads, and with no other', async () => {
  await using temp = await uniqueTempDir('fingerprint');
  const at = (name: string): string => join(temp.path, name);
  const git = (...args: string[]) =>
    runProgram('git', ['-C', temp.path, '-c', 'user.name=x', '-c', 'user.email=x@x', ...args]);
  const now = () => flakeFingerprint(temp.path, exec);
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
  await writeFile(at('untracked'), 'x');
  expect(await now()).toBe(added);
  // Of the same size, and the time is set back.
  await writeFile(at('sub/flake.nix'), '{ a = 2; }');
  await utimes(at('sub/flake.nix'), 1, 1);
  const changed = await now();
  expect(changed).not.toBe(added);
  // A flake may use its own revision.
  await git('commit', '--quiet', '--all', '--message', 'one');
  const committed = await now();
  expect(committed).not.toBe(changed);
  expect(await flakeFingerprint(at('sub'), exec)).toBe(committed);
  await git('add', 'untracked');
  expect(await now()).not.toBe(committed);
  await rm(at('sub/flake.nix'));
  expect(await now()).not.toBe(committed);
});

test('a folder that is not there cannot be known', async () => {
  expect(await flakeFingerprint('/nonexistent/flake', exec)).toBeUndefined();
});
