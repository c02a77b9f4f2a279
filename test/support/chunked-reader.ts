// Reads zstd:chunked as a stranger does: from what containers/storage documents and checks, with nothing of src, so that an error of ours is
// not made twice. The program zstd unpacks what everyone reads.
import { execFileSync } from 'node:child_process';
import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { sha256 } from './bytes.ts';
import { compareHeaders } from './chunked-headers.ts';
import { check, type Place, PREFIX, placesOf, type TocEntry, tocSchema } from './chunked-toc.ts';
import { programPath } from './tools.ts';

/** Enough for the layers of tests, unpacked. */
const MOST_BYTES = 1 << 30;

/** What a blob is to everyone who knows zstd alone: frames one after another, those that are skipped among them. Throws what zstd says. */
export const unpackZstd = (blob: Uint8Array): Buffer =>
  execFileSync(programPath('zstd'), ['--decompress', '--stdout', '--quiet'], { input: blob, maxBuffer: MOST_BYTES });

/** What one frame unpacks to. Node stops behind the first one without a word, which readers of a range must not. */
function soleFrame(bytes: Uint8Array, what: string): Buffer {
  // Its types do not know that `info` gives the engine as well.
  const { buffer, engine } = zstdDecompressSync(bytes, { info: true } as object) as unknown as {
    readonly buffer: Buffer;
    readonly engine: { readonly bytesWritten: number };
  };
  check(engine.bytesWritten === bytes.length, `${what} is not one frame`);
  return buffer;
}

/** A frame that readers of zstd skip (RFC 8878, 3.1.2), as it lies around `place`. */
function skippable(blob: Buffer, { offset, length }: Pick<Place, 'offset' | 'length'>, what: string): Buffer {
  check(blob.readUInt32LE(offset - 8) === 0x184d2a50, `${what}: no skippable frame`);
  check(blob.readUInt32LE(offset - 4) === length, `${what}: another length`);
  return blob.subarray(offset, offset + length);
}

export interface ReadLayer {
  readonly entries: readonly TocEntry[];
  /** Of each entry by its name; nothing for what is no file. */
  readonly contents: ReadonlyMap<string, Buffer>;
  readonly tar: Buffer;
}

/** What blobs packed with zstd begin with. Engines go by it and not by the media type, and older ones know no blob that begins with a frame to skip. */
const FIRST = 0xfd2fb528;

/**
 * Reads a layer of zstd:chunked as strictly as any reader does: annotations, footer, table of contents, what it says of each header and file, and
 * the tar-split, from which the tar is made again. Gives all of it. Throws what is wrong.
 */
export function readChunkedLayer(blob: Buffer, annotations: Readonly<Record<string, string>>): ReadLayer {
  check(blob.readUInt32LE(0) === FIRST, 'it begins with a frame that is skipped');
  const { toc: tocPlace, tarSplit: splitPlace } = placesOf(annotations);
  const packedToc = skippable(blob, tocPlace, 'table of contents');
  const packedSplit = skippable(blob, splitPlace, 'tar-split');
  check(splitPlace.offset === tocPlace.offset + tocPlace.length + 8, 'the tar-split follows the table of contents');
  check(blob.length === splitPlace.offset + splitPlace.length + 8 + 64, 'the footer follows the tar-split');
  const footer = skippable(blob, { offset: blob.length - 64, length: 64 }, 'footer');
  const numbers = Array.from({ length: 7 }, (_, index) => Number(footer.readBigUInt64LE(index * 8)));
  const said = [tocPlace, splitPlace].map(({ offset, length, unpacked }) => [offset, length, unpacked]);
  check(`${numbers}` === `${[...(said[0] ?? []), 1, ...(said[1] ?? [])]}`, `the footer says ${numbers}`);
  check(footer.subarray(56).toString() === 'GNUlInUx', 'the footer ends in another word');
  check(sha256(packedToc) === annotations[`${PREFIX}manifest-checksum`], 'digest of the table of contents');
  const tocBytes = soleFrame(packedToc, 'table of contents');
  const splitBytes = soleFrame(packedSplit, 'tar-split');
  check(tocBytes.length === tocPlace.unpacked, 'size of the table of contents');
  check(splitBytes.length === splitPlace.unpacked, 'size of the tar-split');
  const { entries, tarSplitDigest } = tocSchema.parse(JSON.parse(tocBytes.toString('utf8')));
  check(sha256(packedSplit) === tarSplitDigest, 'digest of the tar-split');

  const contents = contentsOf(blob.subarray(0, tocPlace.offset - 8), entries);
  const tar = rebuild(splitBytes.toString('utf8'), contents);
  // What everyone reads who knows zstd alone, the tables and the footer among it.
  check(tar.equals(unpackZstd(blob)), 'tar-split and plain zstd give other tars');
  compareHeaders(tar, entries);
  return { entries, contents, tar };
}

/** Entries, each with those of its chunks behind it. */
function withChunks(entries: readonly TocEntry[]): (readonly [TocEntry, ...TocEntry[]])[] {
  const found: [TocEntry, ...TocEntry[]][] = [];
  for (const entry of entries)
    if (entry.type !== 'chunk') found.push([entry]);
    else {
      check(found.length > 0, 'it begins with a chunk');
      found.at(-1)?.push(entry);
    }
  return found;
}

/** The content of each file by its name; that of no file lies before that of the one before. */
function contentsOf(blob: Buffer, entries: readonly TocEntry[]): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  let end = 0;
  for (const chunks of withChunks(entries)) {
    const [entry] = chunks;
    check(!found.has(entry.name), `${entry.name} is there twice`);
    found.set(entry.name, Buffer.alloc(0));
    const { size = 0, offset = 0, endOffset = 0 } = entry;
    if (entry.type !== 'reg' || size === 0) {
      // Where there is no digest, readers take that of nothing.
      const isBare = offset === 0 && endOffset === 0 && entry.digest === undefined && chunks.length === 1;
      check(isBare, `${entry.name} has content`);
      continue;
    }
    check(end <= offset && offset < endOffset && endOffset <= blob.length, `${entry.name}: ${offset}-${endOffset}`);
    end = endOffset;
    const parts: Buffer[] = [];
    let at = 0;
    for (const [number, chunk] of chunks.entries()) {
      const from = chunk.offset ?? 0;
      const part = soleFrame(blob.subarray(from, chunks[number + 1]?.offset ?? endOffset), `${entry.name} at ${at}`);
      if (chunks.length > 1) {
        check(chunk.name === entry.name && (chunk.chunkOffset ?? 0) === at, `a chunk of ${entry.name} at ${at}`);
        check(chunk.chunkSize === part.length && chunk.chunkDigest === sha256(part), `${entry.name} at ${at}`);
        check(chunk.chunkType === undefined || part.every((byte) => byte === 0), `${entry.name}: no zeros at ${at}`);
      }
      at += part.length;
      parts.push(part);
    }
    const content = Buffer.concat(parts);
    check(content.length === size && sha256(content) === entry.digest, `content of ${entry.name}`);
    found.set(entry.name, content);
  }
  return found;
}

const splitSchema = z.strictObject({
  type: z.union([z.literal(1), z.literal(2)]),
  name: z.string().optional(),
  size: z.int().optional(),
  payload: z.base64().nullable(),
  position: z.int(),
});

/** CRC-64 of ISO 3309, as Go writes it. */
const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ 0xd800000000000000n : crc >> 1n;
  return crc;
});

function crc64(bytes: Buffer): string {
  let crc = 0xffffffffffffffffn;
  for (const byte of bytes) crc = (crcTable[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n) ^ (crc >> 8n);
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64BE(crc ^ 0xffffffffffffffffn);
  return sum.toString('base64');
}

/** The tar that a tar-split (vbatts/tar-split, tar/storage) describes. */
function rebuild(split: string, contents: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  const lines = split.split('\n');
  check(lines.pop() === '', 'the tar-split ends in a line');
  const files = new Set<string>();
  for (const [index, line] of lines.entries()) {
    const { type, name = '', size = 0, payload, position } = splitSchema.parse(JSON.parse(line));
    check(position === index, `position ${position} in line ${index}`);
    if (type === 2) parts.push(Buffer.from(payload ?? '', 'base64'));
    else {
      check(contents.has(name) && !files.has(name), `${name} in the tar-split`);
      files.add(name);
      const content = contents.get(name) ?? Buffer.alloc(0);
      check(content.length === size, `size of ${name} in the tar-split`);
      check(size === 0 ? payload === null : payload === crc64(content), `checksum of ${name}`);
      parts.push(content);
    }
  }
  check(files.size === contents.size, 'the tar-split has every name');
  return Buffer.concat(parts);
}
