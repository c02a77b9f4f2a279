import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliData, testImage } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { describeTree, withRootfs } from '../../support/rootfs.ts';

// Beyond the 8 GiB that tar's size field holds, from the store to what podman unpacks. The headers alone are in unit/tar/tar.

let lab: Lab;

beforeAll(async () => {
  lab = await openLab('sparse');
});
afterAll(() => lab?.close());

// 9 GiB are written by Nix, read and hashed here, and written again by podman.
test('a sparse file of 9 GiB', { timeout: 900_000 }, async () => {
  const image = `${lab.registry.host}/sparse`;
  const publish = ['publish', ...(await testImage('sparse')), '--to', image, '--system', 'x86_64-linux'];
  await cliData(publish);
  const { images } = await cliData<{ images: { config: { Env: string[] } }[] }>(['inspect', image]);
  const path = images[0]?.config.Env.find((entry) => entry.startsWith('SPARSE='))?.slice('SPARSE='.length) ?? '';
  const [expected, unpacked] = await withRootfs(lab.podman, image, async (root) => [
    await describeTree(path),
    await describeTree(join(root, path)),
  ]);
  expect(Object.fromEntries(unpacked)).toEqual(Object.fromEntries(expected));
  expect([...expected.values()].some((entry) => entry.includes(` ${9 * 2 ** 30} `))).toBe(true);
});
