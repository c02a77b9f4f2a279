import { createHash } from 'node:crypto';
import { type Digest, endDigest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Blocks, Codec, CompressOptions, Release } from './codec.ts';

/** Takes the next bytes, which are gone when it resolves; `read` is how many bytes of the layer went in so far. */
export type Sink = (chunk: Uint8Array, read: number) => Promise<void>;

/** What is known of a layer when its last byte is written; sizes in bytes. */
export interface WrittenLayer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  readonly unpackedSize: number;
  /** What its descriptor says of these very bytes. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of one of store paths that was only hashed: its tree as it was listed meanwhile. */
  readonly treePrint?: string;
}

/**
 * Passes a tar stream through hash, codec and hash to `sink`, once, with a bounded number of blocks in memory. `sink` also
 * gets the bytes of tar that were read so far. Rejects with whatever the stream, the codec or the sink throws.
 */
export async function writeLayer(
  tar: Blocks,
  codec: Codec,
  sink: Sink,
  options: CompressOptions,
): Promise<WrittenLayer> {
  const diffId = createHash('sha256');
  const digest = createHash('sha256');
  let unpackedSize = 0;
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const block of tar) {
      diffId.update(block);
      unpackedSize += block.length;
      yield block;
    }
  }
  for await (const chunk of codec.compress(hashed(), options)) {
    digest.update(chunk);
    size += chunk.length;
    await sink(chunk, unpackedSize);
  }
  return {
    mediaType: codec.mediaType,
    digest: endDigest(digest),
    size,
    diffId: endDigest(diffId),
    unpackedSize,
    ...(codec.annotations && { annotations: codec.annotations() }),
  };
}

/** Bytes of a tar that are hashed between two calls of `onHashed`: some tens in a second. */
const HASHED_BYTES = 16 * 1024 * 1024;

/**
 * What is known of a tar that is a layer as it is, once all of it was hashed; `onHashed` gets the bytes so far from time to time. Throws what
 * the stream throws.
 */
export function hashLayer(tar: Iterable<Uint8Array>, release: Release, onHashed: (read: number) => void): WrittenLayer {
  const hash = createHash('sha256');
  let [size, told] = [0, 0];
  for (const block of tar) {
    hash.update(block);
    size += block.length;
    release(block);
    if (size - told < HASHED_BYTES) continue;
    told = size;
    onHashed(size);
  }
  const digest = endDigest(hash);
  return { mediaType: MEDIA_TYPE.layer, digest, size, diffId: digest, unpackedSize: size };
}
