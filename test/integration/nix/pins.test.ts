import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { cliData, type Published, runCli } from '../../support/cli.ts';
import { ROOT } from '../../support/root.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

const FIXTURES = join(ROOT, 'test/fixtures/pins');

/** A tarball of a folder, and the hash by which Nix knows what is in it. */
const tarball = async (folder: string, name: string, into: string) => {
  const file = join(into, `${name}.tar.gz`);
  await mkdir(join(into, name));
  await cp(folder, join(into, name, name === 'nixpkgs' ? '' : 'nix'), { recursive: true });
  await runProgram('tar', ['-czf', file, '-C', into, name]);
  const { exitCode, stdout, stderr } = await runProgram('nix-hash', ['--type', 'sha256', '--base32', join(into, name)]);
  expect(exitCode, stderr).toBe(0);
  return { url: pathToFileURL(file).href, hash: stdout.trim() };
};

/** A repository whose pins are real: fetched by Nix, and checked. */
const pinned = async (kind: 'npins' | 'niv') => {
  const folder = await uniqueTempDir(kind);
  const [nixpkgs, own] = await Promise.all([
    tarball(join(FIXTURES, 'nixpkgs'), 'nixpkgs', folder.path),
    tarball(join(ROOT, 'nix'), 'nix-images', folder.path),
  ]);
  const repository = join(folder.path, 'repository');
  await cp(join(FIXTURES, kind), repository, { recursive: true });
  const sources = Object.entries({ nixpkgs, 'nix-images': own });
  const pins =
    kind === 'npins'
      ? { version: 3, pins: Object.fromEntries(sources.map(([name, pin]) => [name, { type: 'Tarball', ...pin }])) }
      : Object.fromEntries(sources.map(([name, { url, hash }]) => [name, { type: 'tarball', url, sha256: hash }]));
  const file = kind === 'npins' ? 'npins/sources.json' : 'nix/sources.json';
  await writeFile(join(repository, file), JSON.stringify(pins));
  return { ...folder, path: repository, sources: join(repository, file), pins };
};

test.each(['npins', 'niv'] as const)('a repository that pins by %s publishes with --file', async (kind) => {
  await using repository = await pinned(kind);
  const words = [
    'publish',
    '--file',
    'default.nix',
    '--attr',
    'images.app',
    '--system',
    'x86_64-linux',
    '--to',
    'oci:out',
  ];
  const { platforms, destinations } = await cliData<Published>(words, { cwd: repository.path });
  expect(platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
  expect(destinations.map(({ tags }) => tags)).toEqual([['latest']]);
});

test.each([
  'npins',
  'niv',
] as const)('and all of one that pins by %s is planned and published with --file', async (kind) => {
  await using repository = await pinned(kind);
  const file = ['--file', 'default.nix', '--attr', 'images'];
  const plan = await cliData<{ images: { name: string }[] }>(['plan', ...file], { cwd: repository.path });
  expect(plan.images.map(({ name }) => name)).toEqual(['app']);
  await writeFile(join(repository.path, 'plan.json'), JSON.stringify(plan));
  const words = [
    'publish',
    '--plan',
    '@plan.json',
    '--build-missing',
    '--system',
    'x86_64-linux',
    '--to',
    'oci:{name}',
  ];
  const { exitCode, stdout, stderr } = await runCli(words, { cwd: repository.path });
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain('oci:');
});

test('a pin whose content is another is refused by Nix, and its message is shown', async () => {
  await using repository = await pinned('niv');
  const text = JSON.stringify(repository.pins).replaceAll(
    /"sha256":"(.)/g,
    (_, first: string) => `"sha256":"${first === '0' ? '1' : '0'}`,
  );
  await writeFile(repository.sources, text);
  const { exitCode, stderr } = await runCli(['build', '-f', 'default.nix', '-A', 'images.app'], {
    cwd: repository.path,
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('mismatch');
});
