import { constants, crc32, createDeflateRaw, createZstdCompress, deflateRawSync } from 'node:zlib';
import { releaseMemory } from '../core/release-memory.ts';
import type { Compression } from '../oci/compression.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { type FramesHere, frameHere, frameOptions } from './frames-here.ts';

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
const zstdCodec = (level: number, frames?: FramesHere): Codec => ({
  name: 'zstd',
  mediaType: MEDIA_TYPE.layerZstd,
  compress: (blocks, options) => inOrder(blocks, zstd(level, frames), options),
});

/** The codec that Node has itself. Levels are those of `CODECS`. Frames of zstd that this thread makes come from `frames`, where it is given. */
export const codecOf = (name: Codec['name'], level: Compression['level'], frames?: FramesHere): Codec =>
  name === 'gzip' ? gzipCodec(level) : zstdCodec(level, frames);

/** One way to compress a block: on this thread, or on the thread pool by a stream to which a block of `size` bytes is written. */
interface Compressor {
  /** What it yields is gone with the next step. */
  here(block: Uint8Array): Iterable<Uint8Array>;
  open(size: number): ReturnType<typeof createDeflateRaw> | ReturnType<typeof createZstdCompress>;
}

function deflater(level: number): Compressor {
  // zlib's largest memLevel: a tenth faster than its default, for 300 KiB more.
  const options = { level, windowBits: 15, memLevel: 9, chunkSize: OUTPUT_CHUNK };
  return {
    here: (block) => once(deflateRawSync(block, { ...options, finishFlush: constants.Z_SYNC_FLUSH })),
    open: () => createDeflateRaw({ ...options, flush: constants.Z_SYNC_FLUSH }),
  };
}

function zstd(level: number, frames?: FramesHere): Compressor {
  return {
    here: (block) => (frames ? [frames.frame(block, level)] : once(frameHere(block, level))),
    // Not `zstdCompress`: it learns the size of its input too late, and makes other frames.
    open: (size) => createZstdCompress({ ...frameOptions(level, size), flush: constants.ZSTD_e_end }),
  };
}

/** The frame of `bytes`, made on the thread pool; they must stay as they are meanwhile. */
export const frameOnPool = (bytes: Uint8Array, level: number): Promise<Uint8Array> => onPool(zstd(level), bytes);

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
      } else queue.push(onPool(compressor, block).finally(() => release(block)));
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

const onPool = (compressor: Compressor, block: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const stream = compressor.open(block.length);
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.write(block, (error) => {
      // Ending it would add an empty block.
      stream.destroy();
      if (error) reject(error);
      // One part, as `chunkSize` is chosen: a copy would leave both to the garbage collector.
      else resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
    });
  });
