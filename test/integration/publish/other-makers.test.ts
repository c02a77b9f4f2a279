import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { sha256 } from '../../support/bytes.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { INDEX_TYPE, MANIFEST_TYPE, publish } from './kit.ts';

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const NOWHERE = `sha256:${'0'.repeat(64)}`;

let temp: TempDir;
let registry: RegistryEmulator;
/** The image as it is where nothing was before. */
let clean: string;

/** Publishes the image under the tag of some repositories, as a machine that knows nothing of earlier runs. */
const publishTo = async (repositories: readonly string[]): Promise<string> => {
  const to = repositories.map((repository) => `${registry.host}/${repository}:v1`);
  const { digest } = await publish({ image: 'chain', to, state: join(temp.path, crypto.randomUUID()) });
  return digest;
};

beforeAll(async () => {
  temp = await uniqueTempDir('other-makers');
  registry = await startEmulator();
  clean = await publishTo(['lab/clean']);
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

const expectRight = async (repository: string): Promise<void> => {
  const stored = registry.store.manifest(repository, 'v1');
  expect(sha256(stored?.bytes ?? Buffer.alloc(0))).toBe(clean);
  await expectValid(`${registry.host}/${repository}:v1`);
};

const blob = (text: string): { digest: string; size: number } => ({
  digest: sha256(Buffer.from(text)),
  size: Buffer.byteLength(text),
});

/** An image as another tool makes it: one layer, nothing said about it. */
const foreignImage = (mediaType: string, more: object = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...blob('{"rootfs":{"diff_ids":[]}}') },
    layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...blob('no tar') }],
    ...more,
  });

const indexOf = (mediaType: string, manifests: readonly object[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType, manifests });

const childOf = (architecture: string): object => ({
  mediaType: MANIFEST_TYPE,
  digest: NOWHERE,
  size: 100,
  platform: { os: 'linux', architecture },
});

describe('what another maker left under the tag is replaced by the image, as if nothing had been there', () => {
  const left: readonly (readonly [string, string, string])[] = [
    ['an image of docker', DOCKER_MANIFEST, foreignImage(DOCKER_MANIFEST)],
    ['an image of docker without layers', DOCKER_MANIFEST, '{"schemaVersion":2,"config":{}}'],
    ['an image without annotations', MANIFEST_TYPE, foreignImage(MANIFEST_TYPE)],
    ['an index of other platforms', INDEX_TYPE, indexOf(INDEX_TYPE, [childOf('s390x')])],
    ['an index with a child that is gone', INDEX_TYPE, indexOf(INDEX_TYPE, [childOf('amd64')])],
    ['an index of docker without platforms', DOCKER_INDEX, indexOf(DOCKER_INDEX, [{ digest: NOWHERE }])],
    ['an empty index', INDEX_TYPE, indexOf(INDEX_TYPE, [])],
    ['an image of schema 1', DOCKER_MANIFEST, '{"schemaVersion":1,"fsLayers":[]}'],
    ['no JSON', MANIFEST_TYPE, '{{{'],
    ['JSON that is no object', INDEX_TYPE, 'null'],
    ['brackets without end', INDEX_TYPE, '['.repeat(200_000)],
    ['bytes that are no text', MANIFEST_TYPE, '\u0000\u0001'],
    ['nothing', MANIFEST_TYPE, ''],
    ['5 MB', MANIFEST_TYPE, foreignImage(MANIFEST_TYPE, { pad: 'x'.repeat(5_000_000) })],
    ['keys that JavaScript knows', MANIFEST_TYPE, '{"schemaVersion":2,"__proto__":{"layers":[]}}'],
  ];
  const repositories = left.map((_, at) => `other/maker${at}`);

  beforeAll(async () => {
    for (const [at, [, mediaType, content]] of left.entries())
      registry.store.putManifest(repositories[at] ?? '', 'v1', Buffer.from(content), mediaType);
    // One publish for all: each destination is asked for what is under its tag.
    expect(await publishTo(repositories)).toBe(clean);
  });

  test.each(left.map(([name], at) => [name, repositories[at] ?? ''] as const))('%s', async (_name, repository) => {
    await expectRight(repository);
  });
});

interface Annotated {
  digest: string;
  size: number;
  mediaType: string;
  annotations: Record<string, string>;
}

/** Changes our own image under the tag as somebody may who can write there. */
const forge = (repository: string, change: (layers: Annotated[]) => void): void => {
  const { store } = registry;
  const read = (reference: string): unknown =>
    JSON.parse(store.manifest(repository, reference)?.bytes.toString('utf8') ?? 'null');
  const index = read('v1') as { manifests: { digest: string }[] };
  const manifest = read(index.manifests[0]?.digest ?? '') as { layers: Annotated[] };
  change(manifest.layers);
  store.putManifest(repository, 'v1', Buffer.from(JSON.stringify(manifest)), MANIFEST_TYPE);
};

const note = (name: string, value: string) => (layers: Annotated[]) => {
  for (const layer of layers) layer.annotations[`io.nix-images.layer.${name}`] = value;
};

const HASHES = 'io.nix-images.layer.store-hashes';

/** All paths in the first layer, as far as the annotations tell. */
const grouped = (layers: Annotated[]): void =>
  note('store-hashes', layers.map(({ annotations }) => annotations[HASHES] ?? '').join(' '))(layers);

describe('annotations that are not to be believed', () => {
  test.each<[string, (layers: Annotated[]) => void]>([
    ['keys of a newer version', note('key', `v2:${'a'.repeat(64)}`)],
    ['keys of other content', note('key', 'f'.repeat(64))],
    ['diffIDs of another algorithm', note('diff-id', `sha512:${'a'.repeat(128)}`)],
    ['diffIDs that the config does not have', note('diff-id', NOWHERE)],
    ['sizes that are no numbers', note('unpacked-size', 'large')],
    ['sizes that are not there', note('unpacked-size', '')],
    ['sizes below zero', note('unpacked-size', '-512')],
    ['more of them than are known', note('colour', 'green')],
    ['hashes that are none', note('store-hashes', '../../etc/passwd * \u0000')],
    ['a hundred thousand hashes', note('store-hashes', `${'a'.repeat(32)} `.repeat(100_000))],
    [
      'digests that are nowhere',
      (layers) => {
        for (const layer of layers) layer.digest = NOWHERE;
      },
    ],
    [
      'digests with a path in them',
      (layers) => {
        for (const layer of layers) layer.digest = 'sha256:../../../v2/other/blobs/x';
      },
    ],
    [
      'sizes of other blobs',
      (layers) => {
        for (const layer of layers) layer.size += 7;
      },
    ],
    [
      'sizes below nothing',
      (layers) => {
        for (const layer of layers) layer.size = -1;
      },
    ],
    [
      'another compression than it has',
      (layers) => {
        for (const layer of layers) layer.mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
      },
    ],
  ])('%s', async (_what, change) => {
    const repository = `forged/${crypto.randomUUID()}`;
    await publishTo([repository]);
    forge(repository, change);
    expect(await publishTo([repository])).toBe(clean);
    await expectRight(repository);
  });

  test('a grouping that nobody would choose: another image, and a right one', async () => {
    await publishTo(['forged/grouped']);
    forge('forged/grouped', grouped);
    expect(await publishTo(['forged/grouped'])).not.toBe(clean);
    await expectValid(`${registry.host}/forged/grouped:v1`);
  });
});
