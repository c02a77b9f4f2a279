import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { BlockPool } from '../../src/core/block-pool.ts';
import { ChunkedCodec } from '../../src/layer/chunked/chunked-codec.ts';
import { FramesHere } from '../../src/layer/frames-here.ts';
import { type WrittenLayer, writeLayer } from '../../src/layer/write-layer.ts';
import { unpack } from '../../src/oci/unpack.ts';
import type { TarEntry } from '../../src/tar/entry.ts';
import { STREAM_BLOCK, tarStream } from '../../src/tar/writer.ts';

/** A row of the table of contents, as containers/storage writes and reads it. */
export interface Row {
  readonly type: string;
  readonly name: string;
  readonly linkName?: string;
  readonly mode?: number;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modtime?: string;
  readonly xattrs?: Record<string, string>;
  readonly digest?: string;
  readonly offset?: number;
  readonly endOffset?: number;
  readonly chunkSize?: number;
  readonly chunkOffset?: number;
  readonly chunkDigest?: string;
}

interface Line {
  readonly type: 1 | 2;
  readonly name?: string;
  readonly size?: number;
  readonly payload: string | null;
  readonly position: number;
}

export interface MadeChunked {
  readonly layer: WrittenLayer;
  readonly bytes: Buffer;
}

/** Makes a zstd:chunked layer in memory. */
export async function makeChunked(
  entries: Iterable<TarEntry>,
  { parallel = 1 as number | (() => number), block = STREAM_BLOCK, level = 3 } = {},
): Promise<MadeChunked> {
  const codec = new ChunkedCodec(level, new FramesHere(STREAM_BLOCK));
  const pool = new BlockPool(block);
  const chunks: Buffer[] = [];
  const tar = tarStream(entries, pool, 0, (entry, length) => codec.announce(entry, length));
  const sink = async (chunk: Uint8Array): Promise<void> => void chunks.push(Buffer.from(chunk));
  const layer = await writeLayer(tar, codec, sink, { parallel, release: (used) => pool.give(used) });
  return { layer, bytes: Buffer.concat(chunks) };
}

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const PREFIX = 'io.github.containers.zstd-chunked.';

const numbers = (text = ''): number[] => text.split(':').map(Number);

/** Reads what a layer says of itself, as a client does that knows its annotations; the footer must say the same. */
export function readChunked({ layer, bytes }: MadeChunked) {
  const { annotations = {} } = layer;
  const toc = numbers(annotations[`${PREFIX}manifest-position`]);
  const split = numbers(annotations[`${PREFIX}tarsplit-position`]);
  const footer = bytes.subarray(-64);
  const inFooter = Array.from({ length: 7 }, (_, at) => Number(footer.readBigUInt64LE(at * 8)));
  const part = ([offset = 0, length = 0]: number[]): Buffer => bytes.subarray(offset, offset + length);
  const tocText = zstdDecompressSync(part(toc));
  const splitText = zstdDecompressSync(part(split));
  return {
    isConsistent:
      JSON.stringify(inFooter) === JSON.stringify([...toc, ...split]) &&
      footer.toString('latin1', 56) === 'GNUlInUx' &&
      annotations[`${PREFIX}manifest-checksum`] === sha256(part(toc)) &&
      tocText.length === toc[2] &&
      splitText.length === split[2],
    toc: JSON.parse(tocText.toString()) as { version: number; entries: Row[]; tarSplitDigest: string },
    tarSplitDigest: sha256(part(split)),
    lines: splitText
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line),
  };
}

/** The content of each file, by name, read by the ranges of its rows alone; throws where a digest is wrong. */
export function contentsOf({ bytes }: MadeChunked, rows: readonly Row[]): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (const [at, row] of rows.entries()) {
    if (row.offset === undefined) continue;
    const next = rows[at + 1];
    // As containers/storage has it: a chunk that another follows ends where that begins.
    const end = next?.type === 'chunk' ? next.offset : row.endOffset;
    const part = zstdDecompressSync(bytes.subarray(row.offset, end));
    if (row.chunkDigest !== undefined && (row.chunkDigest !== sha256(part) || row.chunkSize !== part.length))
      throw new Error(`chunk of ${row.name}`);
    contents.set(row.name, Buffer.concat([contents.get(row.name) ?? Buffer.alloc(0), part]));
  }
  for (const { type, name, digest, size = 0 } of rows) {
    const content = contents.get(name);
    if (type === 'reg' && size > 0 && (content?.length !== size || sha256(content) !== digest)) throw new Error(name);
  }
  return contents;
}

/** The tar, made again from its headers and the files (github.com/vbatts/tar-split, tar/asm). */
export const reassemble = (lines: readonly Line[], contents: ReadonlyMap<string, Buffer>): Buffer =>
  Buffer.concat(
    lines.map(({ type, name = '', size = 0, payload }) =>
      type === 2
        ? Buffer.from(payload ?? '', 'base64')
        : size > 0
          ? (contents.get(name) ?? Buffer.alloc(0))
          : Buffer.alloc(0),
    ),
  );

/** What a decoder of zstd gets that knows nothing of any of this. */
export async function unpacked(bytes: Uint8Array): Promise<Buffer> {
  async function* whole() {
    yield bytes;
  }
  const parts: Uint8Array[] = [];
  for await (const part of unpack('zstd', whole())) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
