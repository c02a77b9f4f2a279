import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { baseLayers, storeBase } from '../../support/base.ts';
import type { Published } from '../../support/cli.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { publish } from './kit.ts';

let temp: TempDir;
let registry: RegistryEmulator;
let base: ReturnType<typeof storeBase>;

beforeAll(async () => {
  temp = await uniqueTempDir('over-base');
  registry = await startEmulator();
  base = storeBase(registry, 'os', await baseLayers(temp.path));
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

/** Publishes, and counts how often a layer of the base was read for that. */
const readsOf = async (image: string, salt: string, to: string): Promise<{ published: Published; reads: number }> => {
  const before = registry.requests.length;
  const published = await publish({
    image,
    settings: { base: `${registry.host}/os@${base.digest}`, salt },
    to: [`${registry.host}/${to}`],
    state: `${temp.path}/${crypto.randomUUID()}`,
  });
  const reads = registry.requests
    .slice(before)
    .filter(({ method, path }) => method === 'GET' && base.layers.some((digest) => path.endsWith(digest))).length;
  return { published, reads };
};

test('the base is read once: not for an unchanged image, nor for a changed one that touches the same paths', async () => {
  const first = await readsOf('overBase', 'one', 'lab/app:v1');
  expect(first.reads).toBeGreaterThanOrEqual(2);

  const again = await readsOf('overBase', 'one', 'lab/app:v1');
  expect(again.published.digest).toBe(first.published.digest);
  expect(again.published.destinations[0]?.bytesSent).toBe(0);
  expect(again.reads).toBe(0);

  const changed = await readsOf('overBase', 'two', 'lab/app:v1');
  expect(changed.published.digest).not.toBe(first.published.digest);
  expect(changed.reads).toBe(0);

  // What is remembered leaves no trace: whoever knows nothing of the image before makes the same.
  const fresh = await readsOf('overBase', 'two', 'lab/fresh:v1');
  expect(fresh.published.digest).toBe(changed.published.digest);
});
