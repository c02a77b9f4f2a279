import { constants, crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';
import { releaseMemory } from '../core/release-memory.ts';
import type { Compression } from '../oci/compression.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { FrameMaker } from './frame-maker.ts';
import { writeBlock } from './write-block.ts';

/** Gets back a block that is not needed any more. */
export type Release = (block: Uint8Array) => void;

export type Blocks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface CompressOptions {
  /**
   * Blocks that are compressed at once, on the thread pool; with 1 this thread does it itself. A function is asked before each block, for cores become
   * free meanwhile. The bytes are the same.
   */
  readonly parallel: number | (() => number);
  readonly release?: Release | undefined;
}

/**
 * Turns blocks into compressed bytes. Equal blocks give equal bytes on one version of Node; the same bytes in other
 * blocks do not. A block belongs to the codec until `release` gets it, and what it yields is gone with the next step.
 */
export interface Codec {
  readonly name: 'gzip' | 'zstd';
  readonly mediaType: string;
  /** What a layer's descriptor says of these very bytes, once all were yielded. */
  annotations?(): Readonly<Record<string, string>>;
  compress(blocks: Blocks, options: CompressOptions): AsyncGenerator<Uint8Array>;
}

/** Bytes that zlib writes before it comes back: what a block of 1 MiB takes at most. Node's default of 16 KiB takes twenty round trips and a copy. */
const OUTPUT_CHUNK = 1024 * 1024 + 16 * 1024;

/** gzip (RFC 1952) as one member, an ordinary stream for any client; its blocks are deflated apart and end byte-aligned. */
const gzipCodec = (level: number): Codec => ({
  name: 'gzip',
  mediaType: MEDIA_TYPE.layerGzip,
  async *compress(blocks, options) {
    let crc = 0;
    let length = 0;
    async function* summed(): AsyncGenerator<Uint8Array> {
      for await (const block of blocks) {
        crc = crc32(block, crc);
        length = (length + block.length) % 2 ** 32;
        yield block;
      }
    }
    // No name, no time, unknown system: nothing that differs between machines.
    yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
    yield* inOrder(summed(), deflater(level), options);
    const trailer = Buffer.alloc(10);
    // An empty last block, then checksum and length.
    trailer.writeUInt16LE(0x0003, 0);
    trailer.writeUInt32LE(crc, 2);
    trailer.writeUInt32LE(length, 6);
    yield trailer;
  },
});

/** zstd (RFC 8878), a frame for each block: frames follow one another freely, and clients read them as one. */
const zstdCodec = (level: number, frames: FrameMaker): Codec => ({
  name: 'zstd',
  mediaType: MEDIA_TYPE.layerZstd,
  compress: (blocks, options) => inOrder(blocks, zstd(level, frames), options),
});

/** The codec that Node has itself. Levels are those of `CODECS`. Frames of zstd are made by `frames`, which is for one thread. */
export const codecOf = (name: Codec['name'], level: Compression['level'], frames = new FrameMaker()): Codec =>
  name === 'gzip' ? gzipCodec(level) : zstdCodec(level, frames);

/** One way to compress a block. */
interface Compressor {
  /** On this thread; what it yields is gone with the next step. */
  here(block: Uint8Array): Iterable<Uint8Array>;
  /** On the thread pool. */
  onPool(block: Uint8Array): Promise<Uint8Array>;
}

function deflater(level: number): Compressor {
  // zlib's largest memLevel: a tenth faster than its default, for 300 KiB more.
  const options = { level, windowBits: 15, memLevel: 9, chunkSize: OUTPUT_CHUNK };
  return {
    here: (block) => once(deflateRawSync(block, { ...options, finishFlush: constants.Z_SYNC_FLUSH })),
    onPool: (block) => {
      const stream = createDeflateRaw({ ...options, flush: constants.Z_SYNC_FLUSH });
      // Ending it would add an empty block.
      return writeBlock(stream, block).finally(() => stream.destroy());
    },
  };
}

const zstd = (level: number, frames: FrameMaker): Compressor => ({
  here: (block) => [frames.frame(block, level)],
  onPool: (block) => frames.frameOnPool(block, level),
});

/** Compresses blocks, up to `parallel` at once, and yields the results in the blocks' order. */
async function* inOrder(
  blocks: Blocks,
  compressor: Compressor,
  { parallel, release = () => {} }: CompressOptions,
): AsyncGenerator<Uint8Array> {
  const queue: Promise<Uint8Array>[] = [];
  try {
    for await (const block of blocks) {
      const atOnce = typeof parallel === 'number' ? parallel : parallel();
      // The next block was read meanwhile. With 1 all that are under way come first, for the bytes are in the blocks' order.
      while (queue.length >= atOnce) yield* once(await (queue.shift() as Promise<Uint8Array>));
      if (atOnce === 1) {
        const made = compressor.here(block);
        release(block);
        yield* made;
      } else queue.push(compressor.onPool(block).finally(() => release(block)));
    }
    for (let next = queue.shift(); next; next = queue.shift()) yield* once(await next);
  } finally {
    // What is still in the pool when the reader gives up must not become an unhandled rejection.
    await Promise.allSettled(queue);
  }
}

/** Yields bytes that are gone when the next are asked for. */
function* once(bytes: Uint8Array): Generator<Uint8Array> {
  yield bytes;
  releaseMemory(bytes);
}
