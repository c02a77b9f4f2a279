import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createExec } from '../../../src/host/exec.ts';
import { readNixSettings } from '../../../src/machine/nix-config.ts';
import { runCli } from '../../support/cli.ts';
import { nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const FEATURES = 'extra-experimental-features = nix-command flakes\n';

test.each(nixVersionsUnderTest())("$label says what it is set to, with nobody's help", async (version) => {
  const read = async (more: string) => {
    const nix = await openNixUnderTest(version, { env: { NIX_CONFIG: `${TEST_NIX_CONFIG}${more}` } });
    const env = { ...process.env, ...version.env, NIX_CONFIG: `${TEST_NIX_CONFIG}${more}` };
    return await readNixSettings(nix, createExec({ env, signal: new AbortController().signal }));
  };
  const without = await read('max-jobs = 3\n');
  expect(without.get('experimental-features')).toEqual([]);
  expect(without.get('max-jobs')).toEqual(['3']);
  expect(without.get('extra-platforms')).toContain('aarch64-linux');
  expect((await read(FEATURES)).get('experimental-features')).toEqual(
    expect.arrayContaining(['flakes', 'nix-command']),
  );
});

const asked = ['machine', '--json', '--free-space', '0', '--emulate', 'aarch64-linux', '--emulate', 'x86_64-linux'];

test('a machine that is ready says so, and what it found', async () => {
  const env = { NIX_CONFIG: `${TEST_NIX_CONFIG}${FEATURES}max-jobs = 2\n` };
  const { exitCode, stdout, stderr } = await runCli(asked, { env });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ready: true, nix: 'present', nixConfig: [] });
  const words = await runCli(
    asked.filter((word) => word !== '--json'),
    { env },
  );
  expect(words.stdout).toMatch(/^ready to build images\n\nok +nix +nix \(Nix\) [\s\S]*^(ok|without) +containers +\w/m);
});

test('lines missing from nix.conf are named, and do not count against the machine', async () => {
  const { exitCode, stdout } = await runCli(asked, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ready: true, nixConfig: [FEATURES.trim(), 'max-jobs = auto'] });
});

test('where there is no Nix, it says so, with what to do, and the exit code does', async () => {
  await using empty = await uniqueTempDir('no-nix');
  const { exitCode, stdout, stderr } = await runCli(asked, { env: { PATH: join(empty.path, 'bin') } });
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ ready: false, nix: 'absent' });
  expect(stderr).toMatch(/this machine cannot build images: nix missing[\s\S]*nixos\.org\/download/);
});
