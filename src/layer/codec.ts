import { constants, crc32, deflateRaw, zstdCompress } from 'node:zlib';
import { MEDIA_TYPE } from '../image/media-type.ts';

/**
 * Turns a stream of blocks into compressed bytes. Equal blocks give equal bytes on one version of Node; the same bytes in
 * other blocks do not. A block belongs to the codec until `release` gets it.
 */
/** Gets back a block that is not needed any more. */
export type Release = (block: Uint8Array) => void;

const keep: Release = () => {};

export interface Codec {
  readonly name: 'gzip' | 'zstd';
  readonly mediaType: string;
  /** `release` gets each block when it is not needed any more. */
  compress(blocks: AsyncIterable<Uint8Array>, release?: Release): AsyncGenerator<Uint8Array>;
}

/**
 * Blocks a layer has in the thread pool at once. With blocks of 1 MiB this bounds a layer's memory to some 8 MiB,
 * and three keep two cores busy while the main thread reads and hashes.
 */
const IN_FLIGHT = 3;

/** Fast: level 6 is half as fast and a tenth smaller, and compression is most of what a cold push costs. */
const GZIP_LEVEL = 1;

/** zstd's own default; level 1 is a third faster and a tenth larger. */
const ZSTD_LEVEL = 3;

/**
 * Bytes that zlib and zstd write before they come back to the main thread. Node's default of 16 KiB takes twenty round
 * trips for a block; this one takes one or two, and costs memory only while a block is under way.
 */
const OUTPUT_CHUNK = 512 * 1024;

/** How far back deflate can look (RFC 1951, section 2). */
const DEFLATE_WINDOW = 32 * 1024;

/**
 * gzip (RFC 1952) as one member, its blocks deflated in parallel: each ends byte-aligned (sync flush) and starts with
 * the 32 KiB before it as dictionary, so the result is an ordinary stream that any client reads.
 */
const gzipCodec: Codec = {
  name: 'gzip',
  mediaType: MEDIA_TYPE.layerGzip,
  async *compress(blocks, release = keep) {
    let crc = 0;
    let length = 0;
    let dictionary: Uint8Array | undefined;
    // No name, no time, unknown system: nothing that differs between machines.
    yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
    yield* inOrder(blocks, (block) => {
      crc = crc32(block, crc);
      length = (length + block.length) % 2 ** 32;
      const deflated = deflateBlock(block, dictionary);
      // A copy, for the block itself is used again.
      dictionary = Buffer.from(block.subarray(-DEFLATE_WINDOW));
      return deflated.finally(() => release(block));
    });
    const trailer = Buffer.alloc(10);
    // An empty last block, then checksum and length.
    trailer.writeUInt16LE(0x0003, 0);
    trailer.writeUInt32LE(crc, 2);
    trailer.writeUInt32LE(length, 6);
    yield trailer;
  },
};

/** zstd (RFC 8878), a frame for each block: frames follow one another freely, and clients read them as one. */
const zstdCodec: Codec = {
  name: 'zstd',
  mediaType: MEDIA_TYPE.layerZstd,
  compress: (blocks, release = keep) => inOrder(blocks, (block) => zstdBlock(block).finally(() => release(block))),
};

/** The codec of that name. */
export const codecOf = (name: Codec['name']): Codec => (name === 'gzip' ? gzipCodec : zstdCodec);

const deflateBlock = (block: Uint8Array, dictionary: Uint8Array | undefined): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const options = {
      level: GZIP_LEVEL,
      // zlib's longest window and default memory, stated because they shape the bytes.
      windowBits: 15,
      memLevel: 8,
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: OUTPUT_CHUNK,
      ...(dictionary ? { dictionary } : {}),
    };
    deflateRaw(block, options, (error, deflated) => (error ? reject(error) : resolve(deflated)));
  });

const zstdBlock = (block: Uint8Array): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    zstdCompress(block, { params, chunkSize: OUTPUT_CHUNK }, (error, frame) =>
      error ? reject(error) : resolve(frame),
    );
  });

/** Runs `work` on up to IN_FLIGHT blocks at once and yields the results in the blocks' order. */
async function* inOrder(
  blocks: AsyncIterable<Uint8Array>,
  work: (block: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const queue: Promise<Uint8Array>[] = [];
  try {
    for await (const block of blocks) {
      queue.push(work(block));
      if (queue.length === IN_FLIGHT) yield await (queue.shift() as Promise<Uint8Array>);
    }
    for (let next = queue.shift(); next; next = queue.shift()) yield await next;
  } finally {
    // What is still in the pool when the reader gives up must not become an unhandled rejection.
    await Promise.allSettled(queue);
  }
}
