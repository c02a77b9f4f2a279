import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { runLines } from '../../../scripts/demo-lines.ts';
import { runCli, testImage } from '../../support/cli.ts';
import { preparePodman } from '../../support/podman.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

test('two podmans at once run containers, know nothing of each other and leave nothing behind', async () => {
  const [first, second] = await Promise.all([preparePodman(), preparePodman()]);
  const directories = [first, second].map(({ env }) => dirname(env.CONTAINERS_STORAGE_CONF ?? ''));
  try {
    expect(new Set(directories).size).toBe(2);
    const { exitCode, stdout, stderr } = await first.run(['info', '--format', '{{.Store.GraphRoot}}']);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.trim()).toBe(`${directories[0]}/graph`);
    expect((await first.run(['images', '--quiet'])).stdout).toBe('');
    expect((await first.run(['run', '--pull=never', 'localhost/none'])).exitCode).toBe(125);
  } finally {
    await Promise.all([first.remove(), second.remove()]);
  }
  expect(directories.filter((directory) => existsSync(directory))).toEqual([]);
});

// A real podman, for what it takes for a name is what is tested.
test('the line that the demo prints runs in a checkout whose path has a capital and a blank', async () => {
  const [podman, temp] = await Promise.all([preparePodman(), uniqueTempDir('Demo')]);
  try {
    const checkout = join(temp.path, 'My Checkout');
    await mkdir(checkout);
    const destination = 'oci:demo-out/python:latest';
    const args = ['publish', ...(await testImage('small')), '--system', 'x86_64-linux', '--to', destination];
    const published = await runCli(args, { cwd: checkout });
    expect(published.exitCode, published.stderr).toBe(0);
    const lines = runLines({ destination, command: [], conf: undefined, folder: checkout });
    const paste = lines.filter((line) => /^ {2}(cd |podman .*linux\/amd64)/.test(line)).join('\n');
    const { exitCode, stdout, stderr } = await runProgram('sh', ['-euc', paste], { env: podman.env });
    expect(exitCode, stderr).toBe(0);
    expect(stdout.trim()).toBe('x86_64');
  } finally {
    await podman.remove();
    await temp.remove();
  }
});
