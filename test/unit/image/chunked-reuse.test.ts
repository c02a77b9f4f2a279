import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { layerRecord } from '../../../src/definition/layer-record.ts';
import type { Image } from '../../../src/image/image.ts';
import { type Journal, NO_JOURNAL, openJournal } from '../../../src/image/journal.ts';
import type { TreeLayer } from '../../../src/image/layer.ts';
import { NOTHING_PREVIOUS, type Previous } from '../../../src/image/previous-image.ts';
import { createReuse } from '../../../src/image/reuse.ts';
import { SharedLayers } from '../../../src/image/shared-layers.ts';
import { writeImage } from '../../../src/image/write-image.ts';
import type { LayerTask } from '../../../src/layer/thread-messages.ts';
import type { Sink, WrittenLayer } from '../../../src/layer/write-layer.ts';
import type { Compression } from '../../../src/oci/compression.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { NO_ORIGIN } from '../../../src/oci/origin.ts';
import { parseImageManifest, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { memoryLog } from '../../support/memory-log.ts';

const DIFF_ID = digestOf(Buffer.from('tar'));
const KEY = 'c'.repeat(64);
const PREFIX = 'io.github.containers.zstd-chunked.';
const PARTS = {
  [`${PREFIX}manifest-checksum`]: digestOf(Buffer.from('toc')),
  [`${PREFIX}manifest-position`]: '8:3:5:1',
  [`${PREFIX}tarsplit-position`]: '19:3:5',
};
const PLAIN = { 'io.nix-images.layer.not-chunked': 'a name is not UTF-8' };

const CHUNKED: Compression = { name: 'zstd:chunked', level: 3 };
const ZSTD: Compression = { name: 'zstd', level: 3 };

const layer: TreeLayer = {
  kind: 'tree',
  label: 'layer',
  title: 'layer',
  paths: [],
  key: KEY,
  size: 3,
  record: ({ diffId, unpackedSize }) => ({ key: KEY, diffId, unpackedSize, storeHashes: [] }),
  open: async () => ({
    content: { kind: 'store', paths: [], storeMode: 0o755, over: {} },
    close: async () => {},
  }),
};

/** A place in memory, and what writes an image there; `says` is what a layer that is made as zstd:chunked says of itself. */
const place = (says: Readonly<Record<string, string>> = PARTS) => {
  const blobs = new Set<string>();
  let made = 0;
  const repository = {
    name: 'place',
    hasBlob: async ({ digest }: Descriptor) => blobs.has(digest),
    putBlob: async ({ digest }: Descriptor) => void blobs.add(digest),
    takeSent: () => 0,
    mountBlob: async () => false,
    openBlob: async () => ({
      write: async () => {},
      commit: async ({ digest }: Descriptor) => void blobs.add(digest),
      abort: async () => {},
    }),
    putManifest: async (_: StoredManifest) => {},
  } as unknown as Repository;
  const writer = async ({ compression }: LayerTask, sink: Sink): Promise<WrittenLayer> => {
    made += 1;
    const isChunked = compression?.name === 'zstd:chunked';
    const bytes = Buffer.from(isChunked ? 'chunked' : 'plain');
    await sink(bytes, 3);
    const told = isChunked ? { annotations: says } : {};
    return {
      mediaType: MEDIA_TYPE.layerZstd,
      digest: digestOf(bytes),
      size: bytes.length,
      diffId: DIFF_ID,
      unpackedSize: 3,
      ...told,
    };
  };
  const shared = () => new SharedLayers(() => ({ width: 1, write: writer, close: async () => {} }));
  const write = async (
    compression: Compression,
    { before = [] as readonly Descriptor[], journal = NO_JOURNAL as Journal, among = shared() } = {},
  ) => {
    const image: Image = {
      system: 'x86_64-linux',
      key: 'a'.repeat(64),
      layers: [layer],
      inherited: 0,
      format: 'oci',
      compression,
      annotations: {},
      config: ({ diffIds }) => Buffer.from(JSON.stringify(diffIds)),
      close: async () => {},
    };
    const previous: Previous = {
      ...NOTHING_PREVIOUS,
      layers: new Map([
        [
          KEY,
          before.flatMap((descriptor) => {
            const record = layerRecord(descriptor);
            return record ? [{ descriptor, record, repository, forAll: false }] : [];
          }),
        ],
      ]),
    };
    const was = made;
    const built = await writeImage(image, [repository], {
      reuse: createReuse(previous, journal),
      origin: NO_ORIGIN,
      shared: among,
      exec: () => Promise.reject(new Error('no program')),
      log: memoryLog(),
      clock: systemClock,
      signal: new AbortController().signal,
    });
    // As it stands in the manifest, which is what handovers, indexes and copies pass on.
    const [descriptor] = parseImageManifest(built.manifest, 'manifest').layers as [Descriptor];
    return { descriptor, built, timesMade: made - was };
  };
  return { write, shared, repository };
};

const partsIn = ({ annotations = {} }: Descriptor) =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => name.startsWith(PREFIX) || name in PLAIN));

test('what a layer says of its parts is in the manifest, and again when it is reused', async () => {
  const { write } = place();
  const first = await write(CHUNKED);
  expect(partsIn(first.descriptor)).toEqual(PARTS);
  const again = await write(CHUNKED, { before: [first.descriptor] });
  expect(again.timesMade).toBe(0);
  expect(again.built.manifest.digest).toBe(first.built.manifest.digest);
});

test('plain zstd does not stand for zstd:chunked, which is made again and says why', async () => {
  const { write } = place();
  const plain = await write(ZSTD);
  expect(partsIn(plain.descriptor)).toEqual({});
  const { descriptor, timesMade, built } = await write(CHUNKED, { before: [plain.descriptor] });
  expect(timesMade).toBe(1);
  expect(partsIn(descriptor)).toEqual(PARTS);
  expect(built.outcomes?.[0]).toMatchObject({ why: { kind: 'compression' } });
});

test('zstd:chunked stands for plain zstd, and then says nothing of its parts', async () => {
  const { write } = place();
  const chunked = await write(CHUNKED);
  const { descriptor, timesMade } = await write(ZSTD, { before: [chunked.descriptor] });
  expect(timesMade).toBe(0);
  expect(descriptor.digest).toBe(chunked.descriptor.digest);
  expect(partsIn(descriptor)).toEqual({});
});

test('a layer that could not be zstd:chunked is not made again for that', async () => {
  const { write } = place(PLAIN);
  const first = await write(CHUNKED);
  expect(partsIn(first.descriptor)).toEqual(PLAIN);
  const again = await write(CHUNKED, { before: [first.descriptor] });
  expect([again.timesMade, partsIn(again.descriptor)]).toEqual([0, PLAIN]);
});

test('parts that are not valid count as none', async () => {
  const { write } = place();
  const { descriptor } = await write(CHUNKED);
  const broken = {
    ...descriptor,
    annotations: { ...descriptor.annotations, [`${PREFIX}manifest-position`]: '8:3:5:2' },
  };
  expect((await write(CHUNKED, { before: [broken] })).timesMade).toBe(1);
});

test('another image of the process gets the layer with its parts, and one of plain zstd a layer of its own', async () => {
  const { write, shared } = place();
  const among = shared();
  const first = await write(CHUNKED, { among });
  const second = await write(CHUNKED, { among });
  expect([second.timesMade, partsIn(second.descriptor)]).toEqual([0, PARTS]);
  expect(second.descriptor.digest).toBe(first.descriptor.digest);
  const plain = await write(ZSTD, { among });
  expect([plain.timesMade, partsIn(plain.descriptor)]).toEqual([1, {}]);
});

test('an interrupted publish goes on with a layer and its parts', async () => {
  const { write, repository } = place();
  const folder = await mkdtemp(join(tmpdir(), 'chunked-journal-'));
  try {
    const open = () => openJournal(folder, [repository], memoryLog());
    await write(CHUNKED, { journal: await open() });
    const { timesMade, descriptor } = await write(CHUNKED, { journal: await open() });
    expect([timesMade, partsIn(descriptor)]).toEqual([0, PARTS]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
