import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { nixConfig } from '../../../scripts/setup/nix-config.mjs';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { runProgram } from '../../support/tools.ts';

const expression = join(import.meta.dirname, '../../fixtures/awkward');

let packages: string;
beforeAll(async () => {
  packages = await debianPackages();
});

test('the awkward store path has what its name promises', async () => {
  const args = [expression, '-A', 'tree', '--argstr', 'packages', packages, '--no-out-link'];
  const { exitCode, stdout, stderr } = await runProgram('nix-build', args, { env: { NIX_CONFIG: nixConfig() } });
  expect(exitCode, stderr).toBe(0);
  const tree = stdout.trim();

  const [fill] = await readdir(join(tree, 'long'));
  expect((await lstat(join(tree, 'long', fill ?? '', 'file'))).isFile()).toBe(true);
  expect(join(tree, 'long', fill ?? '', 'file')).toHaveLength(250);

  const names = await readdir(Buffer.from(join(tree, 'names')), { encoding: 'buffer' });
  expect(names.some((name) => name.equals(Buffer.from('grün')))).toBe(true);
  expect(names.some((name) => name.equals(Buffer.from('gr\xfcn', 'latin1')))).toBe(true);

  const [first, second] = await Promise.all(['hard-a', 'links/hard-c'].map((name) => stat(join(tree, name))));
  expect(first?.ino).toBe(second?.ino);
  expect(await readdir(join(tree, 'empty/nested/innermost'))).toEqual([]);
  expect((await stat(join(tree, 'executable'))).mode & 0o777).toBe(0o555);
  expect((await stat(join(tree, 'empty-file'))).size).toBe(0);
  expect(await readlink(join(tree, 'dangling'))).toBe('/nowhere/at/all');
  expect(await readlink(join(tree, 'long-target'))).toHaveLength(200);
});
