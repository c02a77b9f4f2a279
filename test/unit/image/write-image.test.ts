import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { UserError } from '../../../src/core/error.ts';
import { tarKey } from '../../../src/definition/layer.ts';
import { layerRecord } from '../../../src/definition/layer-record.ts';
import type { Image } from '../../../src/image/image.ts';
import { NO_JOURNAL } from '../../../src/image/journal.ts';
import type { Encoding, Layer, StreamLayer } from '../../../src/image/layer.ts';
import { NOTHING_PREVIOUS, type Previous } from '../../../src/image/previous-image.ts';
import { createReuse } from '../../../src/image/reuse.ts';
import { SharedLayers } from '../../../src/image/shared-layers.ts';
import { writeImage } from '../../../src/image/write-image.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { NO_ORIGIN } from '../../../src/oci/origin.ts';
import { parseImageManifest, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import { MissingBlobError, type Repository } from '../../../src/storage/destination.ts';
import { memoryLog } from '../../support/memory-log.ts';

/** A destination in memory, which looks at what a manifest names, and forgets the blobs in `lost` as they come. */
const memory = (name: string, lost: readonly Digest[] = []) => {
  const blobs = new Map<string, Buffer>();
  const sent: string[] = [];
  const manifests: StoredManifest[] = [];
  const forgotten = [...lost];
  const keep = (bytes: Buffer): void => {
    const digest = digestOf(bytes);
    const at = forgotten.indexOf(digest);
    if (at >= 0) forgotten.splice(at, 1);
    else blobs.set(digest, bytes);
    sent.push(digest);
  };
  const repository = {
    name,
    hasBlob: async ({ digest }: Descriptor) => blobs.has(digest),
    readBlob: async function* ({ digest }: Descriptor) {
      yield blobs.get(digest) ?? Buffer.alloc(0);
    },
    putBlob: async (_: Descriptor, bytes: Uint8Array) => keep(Buffer.from(bytes)),
    takeSent: () => 0,
    mountBlob: async () => false,
    openBlob: async () => {
      const chunks: Buffer[] = [];
      return {
        write: async (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)),
        commit: async () => keep(Buffer.concat(chunks)),
        abort: async () => {},
      };
    },
    putManifest: async (manifest: StoredManifest) => {
      const { config, layers } = parseImageManifest(manifest, name);
      if (![config, ...layers].every(({ digest }) => blobs.has(digest)))
        throw new MissingBlobError('registry', 'a blob is unknown');
      manifests.push(manifest);
    },
  };
  return { repository: repository as unknown as Repository, blobs, sent, manifests };
};

/** A tar, as far as anything here looks into it. */
const tar = (text: string): Buffer => Buffer.from(text.padEnd(1024, '.'));

const stream = (
  text: string,
  encoding: Encoding = 'tar',
  diffId = digestOf(tar(text)),
): StreamLayer & { reads: number } => {
  const bytes = encoding === 'gzip' ? gzipSync(tar(text)) : tar(text);
  return {
    kind: 'stream',
    label: `layer ${text}`,
    encoding,
    diffId,
    isVerified: false,
    descriptor: { mediaType: 'told', digest: digestOf(bytes), size: bytes.length, annotations: { maker: text } },
    size: bytes.length,
    reads: 0,
    async *read() {
      this.reads += 1;
      yield bytes;
    },
  };
};

const imageOf = (...layers: Layer[]): Image => ({
  system: 'x86_64-linux',
  key: 'a'.repeat(64),
  layers,
  inherited: 0,
  format: 'oci',
  compression: { name: 'gzip', level: 1 },
  annotations: {},
  config: ({ diffIds }) => Buffer.from(JSON.stringify(diffIds)),
  close: async () => {},
});

/** What images of one process share. No layer here is a tree, so no thread is started. */
const sharing = () =>
  new SharedLayers(() => ({
    width: 1,
    write: () => Promise.reject(new Error('no thread')),
    close: async () => {},
  }));

const write = async (
  image: Image,
  destinations: readonly Repository[],
  previous: Previous = NOTHING_PREVIOUS,
  shared: SharedLayers = sharing(),
) => {
  const log = memoryLog();
  const built = await writeImage(image, destinations, {
    reuse: createReuse(previous, NO_JOURNAL),
    origin: NO_ORIGIN,
    shared,
    exec: () => Promise.reject(new Error('no program')),
    log,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  return { built, log };
};

/** What a publish leaves for the next: the layers of its image, known at one place. */
const previousOf = (layers: readonly Descriptor[], repository: Repository): Previous => ({
  ...NOTHING_PREVIOUS,
  layers: new Map(
    layers.flatMap((descriptor) => {
      const record = layerRecord(descriptor);
      return record ? [[record.key, [{ descriptor, record, repository, forAll: false }]] as const] : [];
    }),
  ),
});

test('a layer is read once for all destinations; what is packed goes as it is, with what its maker says of it', async () => {
  const [one, two] = [memory('one'), memory('two')];
  const [plain, packed] = [stream('plain'), stream('packed', 'gzip')];
  const { built } = await write(imageOf(plain, packed), [one.repository, two.repository]);
  expect([plain.reads, packed.reads]).toEqual([1, 1]);
  expect([...two.blobs.keys()].sort()).toEqual([...one.blobs.keys()].sort());
  expect(built.layers[0]?.annotations).not.toHaveProperty('maker');
  expect(built.layers[1]).toMatchObject({ digest: packed.descriptor?.digest, annotations: { maker: 'packed' } });
  expect(layerRecord(built.layers[0] as Descriptor)?.key).toBe(tarKey(plain.diffId));
});

test.each<Encoding>([
  'tar',
  'gzip',
])('nothing is kept of a layer (%s) that is not what its image says', async (encoding) => {
  const one = memory('one');
  const wrong = stream('text', encoding, digestOf(tar('other')));
  await expect(write(imageOf(wrong), [one.repository])).rejects.toMatchObject({ code: 'digest' });
  expect(one.sent).toEqual([]);
});

test('a blob lies where it lies: it is copied unread, under the descriptor that it has', async () => {
  const [base, one] = [memory('base'), memory('one')];
  const bytes = gzipSync(tar('base'));
  const descriptor = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(bytes),
    size: bytes.length,
  };
  base.blobs.set(descriptor.digest, bytes);
  const diffId = digestOf(Buffer.from('never looked at'));
  const { built } = await write(imageOf({ kind: 'blob', descriptor, diffId, from: base.repository }), [one.repository]);
  expect(built.layers).toEqual([descriptor]);
  expect(one.blobs.get(descriptor.digest)).toEqual(bytes);
});

test('what is known is reused, and of what turns out to be gone only that is sent again', async () => {
  const one = memory('one');
  const image = () => imageOf(stream('first', 'gzip'), stream('second', 'gzip'), stream('third', 'gzip'));
  const { built } = await write(image(), [one.repository]);
  const [first, second] = built.layers;
  const previous = previousOf(built.layers, one.repository);
  one.sent.length = 0;
  expect((await write(image(), [one.repository], previous)).log.lines).toEqual(['x86_64-linux: reusing 3 of 3 layers']);
  expect(one.sent).toEqual([built.config.descriptor.digest]);

  one.blobs.delete(second?.digest ?? '');
  one.sent.length = 0;
  const again = await write(image(), [one.repository], previous);
  expect(again.built.manifest.digest).toBe(built.manifest.digest);
  expect(again.log.lines).toContain('one: layers that an image there names are gone; making them again');
  expect(one.sent.filter((digest) => digest !== built.config.descriptor.digest)).toEqual([second?.digest]);
  expect(one.sent).not.toContain(first?.digest);
});

test.each<Encoding>([
  'tar',
  'gzip',
])('a layer (%s) is not replaced by one that claims its key for another tar', async (encoding) => {
  const one = memory('one');
  const { built } = await write(imageOf(stream('text', encoding)), [one.repository]);
  const honest = previousOf(built.layers, one.repository);
  const layers = new Map(
    [...honest.layers].map(([key, [known]]) => [
      key,
      known ? [{ ...known, record: { ...known.record, diffId: digestOf(tar('other')) } }] : [],
    ]),
  );
  const again = await write(imageOf(stream('text', encoding)), [one.repository], { ...honest, layers });
  expect(again.built.manifest.digest).toBe(built.manifest.digest);
});

test('a destination that loses a layer each time is an error in the end', async () => {
  const first = memory('one');
  const { built } = await write(imageOf(stream('a', 'gzip')), [first.repository]);
  const { digest } = built.layers[0] as Descriptor;
  const one = memory('one', Array(10).fill(digest));
  const failure = write(imageOf(stream('a', 'gzip')), [one.repository], previousOf(built.layers, one.repository));
  await expect(failure).rejects.toBeInstanceOf(UserError);
  expect(one.sent.filter((each) => each === digest)).toHaveLength(2);
  expect(one.manifests).toEqual([]);
});

test('a layer that is larger than a destination takes is told before anything is sent', async () => {
  const one = memory('one');
  const small = { ...one.repository, largestBlob: 20 } as Repository;
  const packed = stream('packed', 'gzip');
  await expect(write(imageOf(stream('plain'), packed), [small])).rejects.toMatchObject({
    code: 'registry',
    message: expect.stringContaining(`${packed.descriptor?.digest} has`),
  });
  expect([one.sent, packed.reads]).toEqual([[], 0]);
  // What a tar compresses to is not known before, and may be less.
  await write(imageOf(stream('plain')), [small]);
  expect(one.sent.length).toBeGreaterThan(0);
});

describe('images of one process', () => {
  const same = (encoding: Encoding) => stream('shared', encoding);

  test.each<Encoding>(['tar', 'gzip'])('make a layer (%s) once, whoever comes first', async (encoding) => {
    const shared = sharing();
    const [one, two] = [memory('one'), memory('two')];
    let reads = 0;
    const images = [0, 1].map((at) =>
      imageOf(
        {
          ...same(encoding),
          isVerified: true,
          read: () => {
            reads += 1;
            return same(encoding).read();
          },
        },
        stream(`own ${at}`, 'gzip'),
      ),
    );
    const built = await Promise.all(
      images.map((image, at) => write(image, [[one, two][at]?.repository as Repository], NOTHING_PREVIOUS, shared)),
    );
    expect(reads).toBe(1);
    const digests = built.map(({ built: { layers: written } }) => written.map(({ digest }) => digest));
    expect(digests[0]?.[0]).toBe(digests[1]?.[0]);
    for (const [at, { blobs }] of [one, two].entries())
      for (const digest of digests[at] ?? []) expect(blobs.has(digest)).toBe(true);
  });

  test('one whose destination fails leaves the layer to the next', async () => {
    const shared = sharing();
    const [one, two] = [memory('one'), memory('two')];
    const failing = {
      ...one.repository,
      openBlob: async () => {
        throw new UserError('registry', 'it is down');
      },
    } as unknown as Repository;
    const [first, second] = await Promise.allSettled([
      write(imageOf(same('gzip')), [failing], NOTHING_PREVIOUS, shared),
      write(imageOf(same('gzip')), [two.repository], NOTHING_PREVIOUS, shared),
    ]);
    expect(first.status).toBe('rejected');
    expect(second.status).toBe('fulfilled');
    expect(two.manifests).toHaveLength(1);
  });

  test('a layer that cannot be had from the other image is made again', async () => {
    const shared = sharing();
    const [one, two] = [memory('one'), memory('two')];
    await write(imageOf(same('gzip')), [one.repository], NOTHING_PREVIOUS, shared);
    one.repository.readBlob = () => {
      throw new UserError('file', 'it is gone');
    };
    const layer = same('gzip');
    await write(imageOf(layer), [two.repository], NOTHING_PREVIOUS, shared);
    expect(layer.reads).toBe(1);
    expect(two.manifests).toHaveLength(1);
  });

  test('a destination that loses what was copied to it gets it once more', async () => {
    const shared = sharing();
    const [one, layer] = [memory('one'), same('gzip')];
    const { built } = await write(imageOf(same('gzip')), [one.repository], NOTHING_PREVIOUS, shared);
    const two = memory('two', [built.layers[0]?.digest as Digest]);
    await write(imageOf(layer), [two.repository], NOTHING_PREVIOUS, shared);
    expect(two.manifests).toHaveLength(1);
    expect(layer.reads).toBe(1);
  });

  test('a layer of another maker that is not what its image says is not taken for the one that is', async () => {
    const shared = sharing();
    const [one, two] = [memory('one'), memory('two')];
    await write(imageOf({ ...stream('text'), isVerified: true }), [one.repository], NOTHING_PREVIOUS, shared);
    const wrong = stream('other', 'tar', digestOf(tar('text')));
    await expect(write(imageOf(wrong), [two.repository], NOTHING_PREVIOUS, shared)).rejects.toMatchObject({
      code: 'digest',
    });
  });
});
