import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData } from '../../support/cli.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { committedBlobs, expectClear, MANIFEST_TYPE, movedTags, type PublishJob, publish, tryPublish } from './kit.ts';

let temp: TempDir;
let registry: RegistryEmulator;
let job: PublishJob;

beforeAll(async () => {
  temp = await uniqueTempDir('lost-blobs');
});

afterAll(async () => {
  await temp?.remove();
});

beforeEach(async () => {
  registry = await startEmulator({ takesAnyManifest: true });
  job = { image: 'chain', to: [`${registry.host}/lab/app:v1`], state: join(temp.path, crypto.randomUUID()) };
  return () => registry.stop();
});

interface Content {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** The image under a tag of one platform. */
const contentOf = (tag: string): Content => {
  const stored = (reference: string): string =>
    registry.store.manifest('lab/app', reference)?.bytes.toString('utf8') ?? 'null';
  const index = JSON.parse(stored(tag)) as { manifests: readonly { digest: string; mediaType: string }[] };
  expect(index.manifests.map(({ mediaType }) => mediaType)).toEqual([MANIFEST_TYPE]);
  return JSON.parse(stored(index.manifests[0]?.digest ?? '')) as Content;
};

describe('a registry that takes manifests whose blobs it does not have', () => {
  test('loses a blob of the first publish: found before a tag moves, and sent again', async () => {
    const first = await publish({ ...job, to: [`${registry.host}/lab/app:other`] });
    const [lost] = contentOf('other').layers;
    // It says it took the blob, once, and did not.
    registry.store.forgetNext(lost?.digest ?? '');
    const empty = { ...job, to: [`${registry.host}/lab/app:v1`], more: ['--no-reuse', '--verify'] };
    registry.store.removeBlob('lab/app', lost?.digest ?? '');
    const again = await publish(empty);
    expect(again.digest).toBe(first.digest);
    await expectValid(`${registry.host}/lab/app:v1`);
  });

  test('loses it each time: an error, and no tag', async () => {
    registry.store.forgetNext('', 1000);
    const failed = await tryPublish({ ...job, more: ['--verify'] });
    expectClear(failed, registry.host, /accepted blob sha256:[0-9a-f]{64} but does not have it/, /No tag was moved/);
    expect(movedTags(registry)).toEqual([]);
  });

  test.each([
    ['a layer', ({ layers }: Content) => layers[0]?.digest],
    ['the config', ({ config }: Content) => config.digest],
    ['everything', () => undefined],
  ] as const)('%s is gone behind a live manifest: made again before a tag moves', async (_what, which) => {
    const first = await publish(job);
    const content = contentOf('v1');
    const gone = which(content);
    for (const digest of gone ? [gone] : [content.config, ...content.layers].map((one) => one.digest))
      registry.store.removeBlob('lab/app', digest);
    const before = { requests: registry.requests.length, blobs: committedBlobs(registry).length };

    const again = await publish({ ...job, more: ['--verify', '--tag', 'v2'] });
    expect(again.digest).toBe(first.digest);
    await expectValid(`${registry.host}/lab/app:v1`);
    expect(movedTags(registry)).toEqual(['lab/app:v1', 'lab/app:v2']);
    expect(committedBlobs(registry).length - before.blobs).toBe(gone ? 1 : 1 + content.layers.length);
    // No tag was moved before the last blob had come.
    const since = registry.requests.slice(before.requests);
    const moved = since.findIndex(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/v2'));
    const sent = since.findLastIndex(({ method, path }) => method === 'PUT' && path.includes('/blobs/'));
    expect(moved).toBeGreaterThan(sent);
  });

  test('a blob that came back shorter is no blob', async () => {
    await publish(job);
    const [layer] = contentOf('v1').layers;
    registry.store.damageBlob('lab/app', layer?.digest ?? '');
    await publish({ ...job, more: ['--verify'] });
    await expectValid(`${registry.host}/lab/app:v1`);
  });

  test('a next version does not take over what is gone', async () => {
    await publish(job);
    for (const { digest } of contentOf('v1').layers) registry.store.removeBlob('lab/app', digest);
    await publish({ ...job, settings: { rev: 'next' } });
    await expectValid(`${registry.host}/lab/app:v1`);
    const { images } = await cliData<{ images: readonly unknown[] }>(['inspect', `${registry.host}/lab/app:v1`]);
    expect(images).toHaveLength(1);
  });
});
