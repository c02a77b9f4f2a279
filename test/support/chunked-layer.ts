import { BlockPool } from '../../src/core/block-pool.ts';
import { ChunkedCodec } from '../../src/layer/chunked/chunked-codec.ts';
import { FrameMaker } from '../../src/layer/frame-maker.ts';
import { type WrittenLayer, writeLayer } from '../../src/layer/write-layer.ts';
import type { TarEntry } from '../../src/tar/entry.ts';
import { STREAM_BLOCK, tarStream } from '../../src/tar/writer.ts';
import { type ReadLayer, readChunkedLayer } from './chunked-reader.ts';

export interface MadeChunked {
  readonly layer: WrittenLayer;
  readonly bytes: Buffer;
}

/** Makes a zstd:chunked layer in memory. */
export async function makeChunked(
  entries: Iterable<TarEntry>,
  { parallel = 1 as number | (() => number), block = STREAM_BLOCK, level = 3 } = {},
): Promise<MadeChunked> {
  const codec = new ChunkedCodec(level, new FrameMaker());
  const pool = new BlockPool(block);
  const chunks: Buffer[] = [];
  const tar = tarStream(entries, pool, 0, (entry, length) => codec.announce(entry, length));
  const sink = async (chunk: Uint8Array): Promise<void> => void chunks.push(Buffer.from(chunk));
  const layer = await writeLayer(tar, codec, sink, { parallel, release: (used) => pool.give(used) });
  return { layer, bytes: Buffer.concat(chunks) };
}

/** What a stranger reads of it. Throws what is wrong. */
export const readMade = ({ layer, bytes }: MadeChunked): ReadLayer => readChunkedLayer(bytes, layer.annotations ?? {});
