import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { chunkAnnotations, DISK_TYPE, diskLayerBytes, diskLayers } from '../../../src/oci/disk-artifact.ts';
import type { ImageManifest } from '../../../src/oci/manifest.ts';

const DIGEST = digestOf(Buffer.from(''));
const layer = (mediaType: string, annotations?: Record<string, string>) => ({
  ...{ mediaType, digest: DIGEST, size: 7 },
  ...(annotations ? { annotations } : {}),
});
const chunk = (offset: number, length: number) =>
  layer(DISK_TYPE.chunk, chunkAnnotations({ offset, length, content: DIGEST }));
const BLOCKS = layer(DISK_TYPE.blocks);

const manifest = (layers: ImageManifest['layers'], artifactType: string = DISK_TYPE.artifact): ImageManifest => ({
  ...{ schemaVersion: 2, artifactType, config: layer(DISK_TYPE.config), layers },
});

test('the layers of a disk are told by their types, whatever their order', () => {
  const positions = layer(DISK_TYPE.positions);
  const found = diskLayers(manifest([BLOCKS, chunk(0, 512), positions, chunk(1024, 512)]), 'x');
  expect(found.chunks.map(({ offset, length, content }) => [offset, length, content])).toEqual([
    [0, 512, DIGEST],
    [1024, 512, DIGEST],
  ]);
  expect(found).toMatchObject({ blocks: BLOCKS, positions });
  expect([BLOCKS, chunk(0, 512), layer('application/x')].map(diskLayerBytes)).toEqual([7, 512, undefined]);
});

test.each([
  ['another artifact', manifest([BLOCKS], 'application/x'), /x is not a disk/],
  ['no digests of blocks', manifest([chunk(0, 512)]), /it has no digests of blocks/],
  [
    'chunks that overlap',
    manifest([chunk(0, 512), chunk(256, 512), BLOCKS]),
    /chunk 1 begins at byte 256, before byte 512/,
  ],
  ['chunks in another order', manifest([chunk(512, 512), chunk(0, 512), BLOCKS]), /chunk 1 begins at byte 0/],
  ['an empty chunk', manifest([chunk(0, 0), BLOCKS]), /chunk 0 does not say what it is/],
  ['a chunk without annotations', manifest([layer(DISK_TYPE.chunk), BLOCKS]), /chunk 0 does not say what it is/],
  [
    'an offset that is no number',
    manifest([layer(DISK_TYPE.chunk, { 'io.nix-images.disk.offset': '-1' }), BLOCKS]),
    /chunk 0/,
  ],
])('%s is refused', (_what, content, message) => {
  expect(() => diskLayers(content, 'x')).toThrow(message);
});
