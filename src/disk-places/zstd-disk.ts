import { zeroFrames, zeroFramesSize } from '../disk/zero-frames.ts';
import type { Descriptor } from '../oci/descriptor.ts';

/** A piece of a disk, and the blob that holds its bytes as zstd frames; offset and length are in bytes. */
export interface Chunk {
  readonly offset: number;
  readonly length: number;
  readonly descriptor: Descriptor;
}

/** A disk whose pieces lie in a repository. */
export interface ChunkedDisk {
  /** Bytes of the disk, holes included. */
  readonly size: number;
  /** Ascending and apart; everything else is zeros. */
  readonly chunks: readonly Chunk[];
  /** Reads a blob and checks size and digest on the way. */
  readBlob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
}

/** A file that is made while it is read, and again each time. */
export interface MadeFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The bytes from `start` up to, not including, `end`. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}

type Part = { readonly size: number; open(): AsyncIterable<Uint8Array> | Iterable<Uint8Array> };

/**
 * A disk as one zstd file: its chunks as they are, and frames of zeros for the holes between them, so that nothing is compressed again, and any
 * zstd unpacks it. The bytes follow from the disk alone.
 */
export function zstdDisk(name: string, disk: ChunkedDisk): MadeFile {
  const parts = [...partsOf(disk)];
  return {
    name,
    size: parts.reduce((sum, { size }) => sum + size, 0),
    read: (start, end) => readRange(parts, start, end),
  };
}

function* partsOf({ size, chunks, readBlob }: ChunkedDisk): Generator<Part> {
  const zeros = (length: number): Part => ({ size: zeroFramesSize(length), open: () => zeroFrames(length) });
  let end = 0;
  for (const { offset, length, descriptor } of chunks) {
    if (offset > end) yield zeros(offset - end);
    yield { size: descriptor.size, open: () => readBlob(descriptor) };
    end = offset + length;
  }
  if (size > end) yield zeros(size - end);
}

/** Parts that lie before the range are not read. */
async function* readRange(parts: readonly Part[], start: number, end: number): AsyncGenerator<Uint8Array> {
  let position = 0;
  for (const { size, open } of parts) {
    if (position >= end) return;
    if (position + size <= start) {
      position += size;
      continue;
    }
    for await (const bytes of open()) {
      const piece = bytes.subarray(Math.max(0, start - position), Math.max(0, end - position));
      position += bytes.length;
      if (piece.length > 0) yield piece;
      if (position >= end) break;
    }
  }
}

/** A file that is one blob, such as that of the positions. */
export const blobFile = (
  name: string,
  descriptor: Descriptor,
  { readBlob }: Pick<ChunkedDisk, 'readBlob'>,
): MadeFile => ({
  name,
  size: descriptor.size,
  read: (start, end) => readRange([{ size: descriptor.size, open: () => readBlob(descriptor) }], start, end),
});

/** A file whose bytes are at hand. */
export const fileOf = (name: string, bytes: Uint8Array): MadeFile => ({
  name,
  size: bytes.length,
  read: async function* (start, end) {
    if (end > start) yield bytes.subarray(start, end);
  },
});
