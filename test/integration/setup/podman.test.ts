import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { preparePodman } from '../../support/podman.ts';

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
