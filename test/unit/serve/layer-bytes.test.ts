import { expect, test } from 'vitest';
import { emptyDirectory, type RootFile } from '../../../src/definition/root-tree.ts';
import type { LayerTree } from '../../../src/image/layer.ts';
import { layerEntries } from '../../../src/layer/entries.ts';
import { lazyStoreTree } from '../../../src/layer/store-tree.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { ByteStream } from '../../../src/serve/answer.ts';
import { skippedBytes, treeBytes } from '../../../src/serve/layer-bytes.ts';
import { tarStream } from '../../../src/tar/writer.ts';

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
        async () => tree,
        descriptor,
        from,
        async () => expect.unreachable(),
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
      async () => tree,
      { mediaType: MEDIA_TYPE.layer, ...said },
      0,
      async () => void told++,
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
    async () => tree,
    descriptor,
    0,
    async () => {},
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
