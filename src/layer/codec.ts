import { constants, crc32, createDeflateRaw, createZstdCompress, deflateRawSync, zstdCompressSync } from 'node:zlib';
import type { Compression } from '../oci/compression.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';

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

/**
 * Bytes that zlib and zstd write before they come back: what a block of 1 MiB takes at most. Node's default of 16 KiB takes
 * twenty round trips and a copy.
 */
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
const zstdCodec = (level: number): Codec => ({
  name: 'zstd',
  mediaType: MEDIA_TYPE.layerZstd,
  compress: (blocks, options) => inOrder(blocks, zstd(level), options),
});

/** The codec that Node has itself. Levels are those of `CODECS`. */
export const codecOf = (name: Codec['name'], level: Compression['level']): Codec =>
  name === 'gzip' ? gzipCodec(level) : zstdCodec(level);

/** One way to compress a block: on this thread, or on the thread pool by a stream that ends a block with each write. */
interface Compressor {
  here(block: Uint8Array): Uint8Array;
  open(): ReturnType<typeof createDeflateRaw> | ReturnType<typeof createZstdCompress>;
}

function deflater(level: number): Compressor {
  // zlib's largest memLevel: a tenth faster than its default, for 300 KiB more.
  const options = { level, windowBits: 15, memLevel: 9, chunkSize: OUTPUT_CHUNK };
  return {
    here: (block) => deflateRawSync(block, { ...options, finishFlush: constants.Z_SYNC_FLUSH }),
    open: () => createDeflateRaw({ ...options, flush: constants.Z_SYNC_FLUSH }),
  };
}

function zstd(level: number, chunkSize = OUTPUT_CHUNK): Compressor {
  const options = { params: { [constants.ZSTD_c_compressionLevel]: level }, chunkSize };
  return {
    here: (block) => zstdCompressSync(block, options),
    // Not `zstdCompress`: it learns the size of its input too late, and makes other frames.
    open: () => createZstdCompress({ ...options, flush: constants.ZSTD_e_end }),
  };
}

/** What a frame of `size` bytes takes at most (zstd.h, ZSTD_COMPRESSBOUND). */
export const frameBound = (size: number): number => size + (size >>> 8) + Math.max(0, (128 * 1024 - size) >>> 11);

/** Bytes of any size as a frame of zstd, on this thread. Takes the memory that such a frame needs, and not that of a block. */
export const frameHere = (bytes: Uint8Array, level: number): Uint8Array =>
  zstd(level, frameBound(bytes.length)).here(bytes);

/** The same frame, made on the thread pool; `bytes` must stay as they are meanwhile. */
export const frameOnPool = (bytes: Uint8Array, level: number): Promise<Uint8Array> =>
  onPool(zstd(level, frameBound(bytes.length)), bytes);

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
        const bytes = compressor.here(block);
        release(block);
        yield* once(bytes);
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

/** Frees memory that nobody looks at any more: without it a gigabyte of garbage waits to be collected. */
export function releaseMemory({ buffer }: Uint8Array): void {
  // Small ones lie in memory that Node shares among buffers.
  if (buffer.byteLength > Buffer.poolSize && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

const onPool = (compressor: Compressor, block: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const stream = compressor.open();
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.write(block, (error) => {
      // Ending it would add an empty block.
      stream.destroy();
      if (error) reject(error);
      // One part, as OUTPUT_CHUNK is chosen: a copy would leave both to the garbage collector.
      else resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
    });
  });
