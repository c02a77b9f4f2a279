import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { baseLayers, storeBase, writeBase } from '../../support/base.ts';
import { sha256 } from '../../support/bytes.ts';
import type { Published } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { committedBlobs, INDEX_TYPE, MANIFEST_TYPE, publish } from './kit.ts';

let temp: TempDir;
let registry: RegistryEmulator;
let layers: Buffer[];
let base: ReturnType<typeof storeBase>;

beforeAll(async () => {
  temp = await uniqueTempDir('over-base');
  registry = await startEmulator();
  layers = await baseLayers(temp.path);
  base = storeBase(registry, 'os', layers);
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

test('a base of plain tars is compressed once', async () => {
  const archive = join(temp.path, 'base.tar');
  await writeBase(archive, layers);
  const added = await runProgram('nix-store', ['--add', archive], { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  const job = (to: string, more: readonly string[] = []) =>
    publish({
      image: 'overBase',
      settings: { base: added.stdout.trim(), salt: 'one' },
      to: [`${registry.host}/${to}`],
      state: join(temp.path, crypto.randomUUID()),
      more,
    });
  const first = await job('lab/archive:v1');
  const before = committedBlobs(registry).length;
  const again = await job('lab/archive:v1');
  expect(again.digest).toBe(first.digest);
  expect(committedBlobs(registry).length).toBe(before);
  // A look at the content by another way: made again from nothing, it is the same.
  expect((await job('lab/archive-again:v1', ['--no-reuse'])).digest).toBe(first.digest);
});

test('what a mirror says of a base is not believed for the main registry', async () => {
  const to = [`${registry.host}/lab/main:v1`, `${registry.host}/lab/mirror:v1`];
  const settings = { base: `${registry.host}/os@${base.digest}` };
  const job = (salt: string, destinations = to) =>
    publish({
      image: 'overBase',
      settings: { ...settings, salt },
      to: destinations,
      state: join(temp.path, crypto.randomUUID()),
    });
  await job('one');
  forgeBase(registry, 'lab/mirror', 'v1');
  const main = await job('two');
  const alone = await job('two', [`${registry.host}/lab/alone:v1`]);
  expect(main.digest).toBe(alone.digest);
});

/** Rewrites what the image under a tag says of its base: /tmp would be open to its group alone. */
function forgeBase({ store }: RegistryEmulator, repository: string, tag: string): void {
  const read = (reference: string) => JSON.parse(store.manifest(repository, reference)?.bytes.toString() ?? '');
  const put = (reference: string, content: unknown, type: string): string => {
    const bytes = Buffer.from(JSON.stringify(content));
    store.putManifest(repository, reference, bytes, type);
    store.putManifest(repository, sha256(bytes), bytes, type);
    return sha256(bytes);
  };
  const index = read(tag);
  const manifest = read(index.manifests[0].digest);
  const { annotations } = manifest.layers.at(-1);
  const text: string = annotations['io.nix-images.layer.base'];
  annotations['io.nix-images.layer.base'] = text.replace('"/tmp":["d",[1023,', '"/tmp":["d",[504,');
  expect(annotations['io.nix-images.layer.base']).not.toBe(text);
  index.manifests[0].digest = put(tag, manifest, MANIFEST_TYPE);
  index.manifests[0].size = Buffer.byteLength(JSON.stringify(manifest));
  put(tag, index, INDEX_TYPE);
}
