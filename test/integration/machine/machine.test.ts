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

test('a machine that is ready lacks nothing', async () => {
  const { exitCode, stdout, stderr } = await runCli(asked, {
    env: { NIX_CONFIG: `${TEST_NIX_CONFIG}${FEATURES}max-jobs = 2\n` },
  });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ nix: 'present', nixConfig: [] });
});

test('what Nix lacks is named', async () => {
  const { stdout } = await runCli(asked, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  expect(JSON.parse(stdout)).toMatchObject({ nixConfig: [FEATURES.trim(), 'max-jobs = auto'] });
});

test('where there is no Nix, it says so', async () => {
  await using empty = await uniqueTempDir('no-nix');
  const { exitCode, stdout, stderr } = await runCli(asked, { env: { PATH: join(empty.path, 'bin') } });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ nix: 'absent' });
});
