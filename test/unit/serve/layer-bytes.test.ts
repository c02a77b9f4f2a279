import { link, mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fromText } from '../../../src/core/bytes.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { emptyDirectory, type RootFile } from '../../../src/definition/root-tree.ts';
import type { LayerTree } from '../../../src/image/layer.ts';
import { layerEntries } from '../../../src/layer/entries.ts';
import { lazyStoreTree } from '../../../src/layer/store-tree.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { ByteStream } from '../../../src/serve/answer.ts';
import { freshHashes } from '../../../src/serve/fresh-hashes.ts';
import { skippedBytes, treeBytes } from '../../../src/serve/layer-bytes.ts';
import { tarStream } from '../../../src/tar/writer.ts';
import { uniqueTempDir } from '../../support/tools.ts';

/** A layer with one file, and how often it was closed. */
function layerOf(bytes: Uint8Array) {
  const root = emptyDirectory('test');
  const file: RootFile = {
    type: 'file',
    mode: 0o444,
    uid: 0,
    gid: 0,
    origin: 'test',
    content: { kind: 'bytes', bytes },
  };
  root.children.set('file', file);
  const content = { kind: 'root', root, places: new Map() } as const;
  const state = { closed: 0 };
  const tree: LayerTree = { content, close: async () => void state.closed++ };
  const tar = Buffer.concat([...tarStream(layerEntries(content, lazyStoreTree))].map((block) => Buffer.from(block)));
  return { tree, state, tar };
}

async function collect({ chunks, release }: ByteStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) {
    parts.push(Buffer.from(chunk));
    // A block that was given back is used again.
    release?.(chunk);
  }
  return Buffer.concat(parts);
}

const LARGE = Buffer.alloc(700_000, 'content of a layer ');

test('a layer comes from any byte on, and is closed', async () => {
  const { tree, state, tar } = layerOf(LARGE);
  const descriptor = { mediaType: MEDIA_TYPE.layer, digest: digestOf(tar), size: tar.length };
  for (const from of [0, 1, 512, 300_000, tar.length - 1]) {
    const bytes = await collect(
      treeBytes(
        {
          open: async () => tree,
          descriptor,
          fresh: freshHashes(systemClock),
          onDamage: async () => expect.unreachable(),
        },
        from,
      ),
    );
    expect(bytes.equals(tar.subarray(from)), String(from)).toBe(true);
  }
  expect(state.closed).toBe(5);
});

test('one that is another by now is told, and does not arrive whole', async () => {
  const { tree, state, tar } = layerOf(LARGE);
  const cases = [
    { digest: digestOf(Buffer.from('other')), size: tar.length },
    { digest: digestOf(tar), size: tar.length - 512 },
    { digest: digestOf(tar), size: tar.length + 512 },
  ];
  for (const said of cases) {
    let told = 0;
    const stream = treeBytes(
      {
        open: async () => tree,
        descriptor: { mediaType: MEDIA_TYPE.layer, ...said },
        fresh: freshHashes(systemClock),
        onDamage: async () => void told++,
      },
      0,
    );
    const parts: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of stream.chunks) parts.push(Buffer.from(chunk));
    })();
    await expect(reading).rejects.toThrow('is another one by now');
    expect(told).toBe(1);
    if (said.size <= tar.length) expect(Buffer.concat(parts).length).toBeLessThan(said.size);
  }
  expect(state.closed).toBe(3);
});

test('who stops reading closes the layer', async () => {
  const { tree, state, tar } = layerOf(LARGE);
  const descriptor = { mediaType: MEDIA_TYPE.layer, digest: digestOf(tar), size: tar.length };
  for await (const _chunk of treeBytes(
    { open: async () => tree, descriptor, fresh: freshHashes(systemClock), onDamage: async () => {} },
    0,
  ).chunks)
    break;
  expect(state.closed).toBe(1);
});

test('bytes that lie somewhere come from any byte on', async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const text of ['012', '', '3456', '789']) yield Buffer.from(text);
  }
  for (let from = 0; from <= 10; from++) {
    expect(String(await collect(skippedBytes(pieces, from)))).toBe('0123456789'.slice(from));
  }
});

/** A store path with some files, and its tar. */
async function storePath(folder: string) {
  const from = `${folder}/${'a'.repeat(32)}-app`;
  await mkdir(`${from}/lib`, { recursive: true });
  await writeFile(`${from}/large`, LARGE);
  await writeFile(`${from}/lib/small`, 'small');
  const paths = [{ path: '/nix/store/app', from: fromText(from) }];
  const content = { kind: 'store', paths, storeMode: 0o555, over: {} } as const;
  const tree: LayerTree = { content, close: async () => {} };
  const tar = Buffer.concat([...tarStream(layerEntries(content, lazyStoreTree))]);
  return { from, tree, descriptor: { mediaType: MEDIA_TYPE.layer, digest: digestOf(tar), size: tar.length } };
}

test('a tree that was hashed a short while ago is hashed again once it looks otherwise, or when that was long ago', async () => {
  await using temp = await uniqueTempDir('fresh');
  const { from, tree, descriptor } = await storePath(temp.path);
  let now = 0;
  const fresh = freshHashes({ now: () => now });
  let told = 0;
  const served = (said: Descriptor) =>
    collect(treeBytes({ open: async () => tree, descriptor: said, fresh, onDamage: async () => void told++ }, 0));
  await served(descriptor);
  const print = fresh.find(descriptor.digest);
  expect(print).toMatch(/^[0-9a-f]{64}$/);
  // Only who does not hash it takes it for this one.
  const wrong = { ...descriptor, digest: digestOf(Buffer.from('other')) };
  fresh.keep(wrong.digest, print ?? '');
  expect(await served(wrong)).toHaveLength(descriptor.size);
  now = 11 * 60_000;
  await expect(served(wrong)).rejects.toThrow('is another one by now');

  // A further link to a file, as of a store that is optimised: the same bytes.
  await served(descriptor);
  await link(`${from}/lib/small`, `${temp.path}/linked`);
  expect(await served(descriptor)).toHaveLength(descriptor.size);
  expect(fresh.find(descriptor.digest)).not.toBe(print);
  expect(told).toBe(1);

  // Of the same size and with the times of before.
  const { atime, mtime } = await stat(`${from}/lib/small`);
  await writeFile(`${from}/lib/small`, 'SMALL');
  await utimes(`${from}/lib/small`, atime, mtime);
  await expect(served(descriptor)).rejects.toThrow('is another one by now');
  expect(told).toBe(2);
});
