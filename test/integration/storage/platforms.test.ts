import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { inheritedAnnotation, layerAnnotations } from '../../../src/definition/layer-record.ts';
import { readImage } from '../../../src/image/existing-image.ts';
import { openImageArchive } from '../../../src/image/from-archive.ts';
import { previousImages } from '../../../src/image/previous-image.ts';
import { inspectImage } from '../../../src/inspect/inspection.ts';
import type { ToolImage } from '../../../src/nix/tool-image.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import type { System } from '../../../src/oci/system.ts';
import { openArchive } from '../../../src/storage/archive/archive-source.ts';
import { openImageFile } from '../../../src/storage/open.ts';
import { digest, type Member, tarBytes } from '../../support/docker-archive.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { useFolder } from './bench.ts';

const at = useFolder();

const OCI = 'application/vnd.oci.image';
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const of = (mediaType: string, bytes: Uint8Array, more = {}) => ({
  mediaType,
  digest: digest([bytes]),
  size: bytes.length,
  ...more,
});
const blob = (bytes: Uint8Array): Member => ({ name: `blobs/sha256/${digest([bytes]).slice(7)}`, content: bytes });
const split = (platform: string) => {
  const [os, architecture, variant] = platform.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
};

/** An image whose only layer says in its name which one it is. */
const image = (platform: string, text = platform) => {
  const layer = tarBytes([{ name: text.replaceAll('/', '-'), content: Buffer.from(text) }]);
  const diffId = digest([layer]) as Digest;
  const config = json({ ...split(platform), config: {}, rootfs: { type: 'layers', diff_ids: [diffId] } });
  const record = { key: 'a'.repeat(64), diffId, unpackedSize: layer.length, storeHashes: [] };
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: of(`${OCI}.config.v1+json`, config),
    layers: [of(`${OCI}.layer.v1.tar`, layer, { annotations: layerAnnotations(record) })],
    annotations: inheritedAnnotation(0),
  });
  return {
    diffId,
    manifest,
    blobs: [layer, config, manifest].map(blob),
    entry: (more = {}) => of(`${OCI}.manifest.v1+json`, manifest, { platform: split(platform), ...more }),
    plain: () => of(`${OCI}.manifest.v1+json`, manifest),
    docker: (tag: string) => ({
      Config: blob(config).name,
      RepoTags: [tag],
      Layers: [blob(layer).name],
    }),
  };
};

const amd = image('linux/amd64');
const v3 = image('linux/amd64/v3');
const arm = image('linux/arm64/v8');
const attestation = image('unknown/unknown');
const indexOf = (...manifests: unknown[]) => json({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests });
const layout = (index: Buffer, ...blobs: readonly Member[]): Member[] => [
  { name: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
  { name: 'index.json', content: index },
  ...blobs,
];
const manifestJson = (...entries: unknown[]): Member => ({ name: 'manifest.json', content: json(entries) });

const nested = indexOf(amd.entry(), arm.entry(), attestation.entry());
const named = { 'io.containerd.image.name': 'docker.io/library/app:1', 'org.opencontainers.image.ref.name': '1' };
const saved = indexOf(of(`${OCI}.index.v1+json`, nested, { annotations: named }));
const all = [...amd.blobs, ...arm.blobs, ...attestation.blobs, blob(nested)];

const FILES: readonly (readonly [string, readonly Member[], { x86?: Digest | string; arm?: Digest | string }])[] = [
  [
    'docker save of all platforms: archive and layout at once',
    [...layout(saved, ...all), manifestJson(amd.docker('app:1'), arm.docker('app:1'))],
    { x86: amd.diffId, arm: arm.diffId },
  ],
  [
    'docker save of one platform, with the index of all',
    [...layout(saved, ...amd.blobs, blob(nested)), manifestJson(amd.docker('app:1'))],
    { x86: amd.diffId, arm: 'names an image' },
  ],
  ['the same without manifest.json', layout(saved, ...all), { x86: amd.diffId, arm: arm.diffId }],
  [
    'an archive of docker with the same name for each platform',
    [...amd.blobs, ...arm.blobs, manifestJson(amd.docker('app:1'), arm.docker('app:1'))],
    { x86: amd.diffId, arm: arm.diffId },
  ],
  [
    'both kinds, but an empty layout',
    [...layout(indexOf(), ...amd.blobs), manifestJson(amd.docker('app:1'))],
    { x86: amd.diffId, arm: 'not for linux/arm64' },
  ],
  [
    'a layout that lists the platforms itself',
    layout(indexOf(arm.entry(), amd.entry()), ...all),
    { x86: amd.diffId, arm: arm.diffId },
  ],
  [
    'amd64/v3 before amd64',
    layout(indexOf(v3.entry(), amd.entry()), ...v3.blobs, ...amd.blobs),
    { x86: amd.diffId, arm: 'nothing for linux/arm64' },
  ],
  [
    'amd64/v3 alone',
    layout(indexOf(v3.entry(), arm.entry()), ...v3.blobs, ...arm.blobs),
    { x86: 'nothing for linux/amd64', arm: arm.diffId },
  ],
  [
    'an index that names no platforms',
    (() => {
      const index = indexOf(arm.plain(), amd.plain());
      return layout(indexOf(of(`${OCI}.index.v1+json`, index)), blob(index), ...all);
    })(),
    { x86: amd.diffId, arm: arm.diffId },
  ],
];

const SYSTEMS: readonly (readonly ['x86' | 'arm', System])[] = [
  ['x86', 'x86_64-linux'],
  ['arm', 'aarch64-linux'],
];
const CASES = FILES.flatMap(([what, members, expected]) =>
  SYSTEMS.map(([short, system]) => [what, system, members, expected[short] ?? ''] as const),
);

const toolImage: ToolImage = {
  kind: 'archive',
  name: 'app',
  registry: null,
  hostSystem: null,
  tag: '1',
  drvPath: '/nix/store/none.drv',
  output: 'out',
  outPath: '/nix/store/none',
  system: null,
};

describe('the image for a system', () => {
  const words = { where: 'the image', hint: '' };

  it.each(CASES)('is found as a base: %s, %s', async (_, system, members, expected) => {
    await writeFile(at('image.tar'), tarBytes(members));
    const { source, reference } = await openImageFile(at('image.tar'), at());
    try {
      const found = readImage(source, reference, system, words).then(({ config }) => config.rootfs.diff_ids[0]);
      if (expected.startsWith('sha256:')) expect(await found).toBe(expected);
      else await expect(found).rejects.toMatchObject({ code: 'platforms', message: expect.stringContaining(expected) });
    } finally {
      await source.close();
    }
  });

  it.each(CASES)("is found as another tool's image: %s, %s", async (_, system, members, expected) => {
    await writeFile(at('image.tar'), tarBytes(members));
    const found = openArchive(at('image.tar'), at()).then((archive) => openImageArchive(archive, toolImage, system));
    if (!expected.startsWith('sha256:')) {
      await expect(found).rejects.toMatchObject({ code: 'platforms', message: expect.stringContaining(expected) });
      return;
    }
    const { layers, close } = await found;
    expect(layers).toMatchObject([{ diffId: expected }]);
    await close();
  });

  it('is the one whose layers are reused', async () => {
    await writeFile(
      at('image.tar'),
      tarBytes(layout(indexOf(v3.entry(), arm.entry(), amd.entry()), ...all, ...v3.blobs)),
    );
    const image = await openImageFile(at('image.tar'), at());
    const read = previousImages([{ ...image, forAll: false }], memoryLog());
    const first = async (system: System) => [...(await read(system)).layers.values()][0]?.[0]?.record.diffId;
    expect(await first('x86_64-linux')).toBe(amd.diffId);
    expect(await first('aarch64-linux')).toBe(arm.diffId);
    await image.source.close();
  });

  it('is shown in its one spelling, and attestations are not', async () => {
    await writeFile(at('image.tar'), tarBytes(layout(saved, ...all)));
    const { source, reference } = await openImageFile(at('image.tar'), at());
    const { images } = await inspectImage(source, reference);
    expect(images.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
    await source.close();
  });
});
