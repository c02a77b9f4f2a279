import { Readable } from 'node:stream';
import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { unpack } from '../../src/oci/unpack.ts';
import { sha256 } from './bytes.ts';

/** Where a part of a blob lies, and what it unpacks to. */
export interface Place {
  readonly offset: number;
  readonly length: number;
  readonly unpacked: number;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const entrySchema = z.strictObject({
  type: z.enum(['reg', 'hardlink', 'char', 'block', 'dir', 'fifo', 'symlink', 'chunk']),
  name: z.string().min(1),
  linkName: z.string().optional(),
  mode: z.int().optional(),
  size: z.int().optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
  modtime: z.iso.datetime().optional(),
  accesstime: z.iso.datetime().optional(),
  changetime: z.iso.datetime().optional(),
  devMajor: z.int().optional(),
  devMinor: z.int().optional(),
  xattrs: z.record(z.string(), z.base64()).optional(),
  digest: digest.optional(),
  offset: z.int().optional(),
  endOffset: z.int().optional(),
  chunkSize: z.int().optional(),
  chunkOffset: z.int().optional(),
  chunkDigest: digest.optional(),
  chunkType: z.literal('zeros').optional(),
});

const tocSchema = z.strictObject({ version: z.literal(1), entries: z.array(entrySchema), tarSplitDigest: digest });

export type TocEntry = z.infer<typeof entrySchema>;

const PREFIX = 'io.github.containers.zstd-chunked.';

/** Where a layer's annotations say that its tables lie. Throws where they are not as containers/storage writes them. */
export function placesOf(annotations: Readonly<Record<string, string>>): { toc: Place; tarSplit: Place } {
  const place = (name: string, form: RegExp): Place => {
    const [, offset, length, unpacked] = (form.exec(annotations[PREFIX + name] ?? '') ?? []).map(Number);
    if (offset === undefined || length === undefined || unpacked === undefined)
      throw new Error(`${name}: ${annotations[PREFIX + name]}`);
    return { offset, length, unpacked };
  };
  return {
    toc: place('manifest-position', /^(\d+):(\d+):(\d+):1$/),
    tarSplit: place('tarsplit-position', /^(\d+):(\d+):(\d+)$/),
  };
}

const check = (isRight: boolean, what: string): void => {
  if (!isRight) throw new Error(what);
};

/** Whole frames, one after another; what they unpack to. */
async function framesIn(bytes: Buffer): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of unpack('zstd', Readable.from([bytes]))) parts.push(part);
  return Buffer.concat(parts);
}

/** A frame that readers of zstd skip (RFC 8878, 3.1.2), as it lies around `place`. */
function skippable(blob: Buffer, { offset, length }: Pick<Place, 'offset' | 'length'>, what: string): Buffer {
  check(blob.readUInt32LE(offset - 8) === 0x184d2a50, `${what}: no skippable frame`);
  check(blob.readUInt32LE(offset - 4) === length, `${what}: another length`);
  return blob.subarray(offset, offset + length);
}

/**
 * Reads a layer of zstd:chunked as strictly as any reader does, without the code under test: annotations, footer, table of contents,
 * what it says of each header and file, and the tar-split, from which the tar is made again. Gives both. Throws what is wrong.
 */
export async function readChunkedLayer(
  blob: Buffer,
  annotations: Readonly<Record<string, string>>,
): Promise<{ entries: readonly TocEntry[]; tar: Buffer }> {
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
  const tocBytes = zstdDecompressSync(packedToc);
  const splitBytes = zstdDecompressSync(packedSplit);
  check(tocBytes.length === tocPlace.unpacked, 'size of the table of contents');
  check(splitBytes.length === splitPlace.unpacked, 'size of the tar-split');
  const { entries, tarSplitDigest } = tocSchema.parse(JSON.parse(tocBytes.toString('utf8')));
  check(sha256(packedSplit) === tarSplitDigest, 'digest of the tar-split');

  const contents = await contentsOf(blob.subarray(0, tocPlace.offset - 8), entries);
  const tar = rebuild(splitBytes.toString('utf8'), contents);
  // What everyone reads who knows zstd alone, the tables and the footer among it.
  check(tar.equals(await framesIn(blob)), 'tar-split and plain zstd give other tars');
  compareHeaders(tar, entries);
  return { entries, tar };
}

/** The content of each file by its name; that of no file lies before that of the one before. */
async function contentsOf(blob: Buffer, entries: readonly TocEntry[]): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  let end = 0;
  for (const [index, entry] of entries.entries()) {
    if (entry.type === 'chunk') continue;
    check(!found.has(entry.name), `${entry.name} is there twice`);
    found.set(entry.name, Buffer.alloc(0));
    const { size = 0, offset = 0, endOffset = 0 } = entry;
    if (entry.type !== 'reg' || size === 0) {
      check(offset === 0 && endOffset === 0 && entry.digest === undefined, `${entry.name} has content`);
      continue;
    }
    check(end <= offset && offset < endOffset && endOffset <= blob.length, `${entry.name}: ${offset}-${endOffset}`);
    end = endOffset;
    const next = entries.findIndex(({ type }, at) => at > index && type !== 'chunk');
    const chunks = entries.slice(index, next < 0 ? undefined : next);
    const parts: Buffer[] = [];
    let at = 0;
    for (const [number, chunk] of chunks.entries()) {
      const from = chunk.offset ?? 0;
      const part = await framesIn(blob.subarray(from, chunks[number + 1]?.offset ?? endOffset));
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

const TYPES: Readonly<Record<string, TocEntry['type']>> = {
  '0': 'reg',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'dir',
  '6': 'fifo',
};

/** What readers compare: each header of the tar, and what the table says of it. */
function compareHeaders(tar: Buffer, entries: readonly TocEntry[]): void {
  const wanted = entries.filter(({ type }) => type !== 'chunk');
  let records = new Map<string, Buffer>();
  let next = 0;
  for (let at = 0; at < tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + 512);
    const text = (from: number, to: number): string => {
      const field = header.subarray(from, to);
      const end = field.indexOf(0);
      return field.subarray(0, end < 0 ? undefined : end).toString('utf8');
    };
    const number = (from: number, to: number): number => Number.parseInt(text(from, to).trim() || '0', 8);
    const record = (key: string): string | undefined => records.get(key)?.toString('utf8');
    const type = text(156, 157);
    const size = Number(record('size') ?? number(124, 136));
    const content = at + 512;
    at = content + Math.ceil(size / 512) * 512;
    if (type === 'x') {
      records = paxRecords(tar.subarray(content, content + size));
      continue;
    }
    const prefix = text(345, 500);
    const seconds = Number(record('mtime') ?? number(136, 148));
    const xattrs = [...records].filter(([key]) => key.startsWith('SCHILY.xattr.'));
    const entry = wanted[next];
    next += 1;
    const header_ = {
      type: TYPES[type],
      name: record('path') ?? (prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`),
      linkName: record('linkpath') ?? text(157, 257),
      mode: number(100, 108),
      size,
      uid: Number(record('uid') ?? number(108, 116)),
      gid: Number(record('gid') ?? number(116, 124)),
      modtime: Math.floor(seconds * 1000),
      devMajor: number(329, 337),
      devMinor: number(337, 345),
      xattrs: Object.fromEntries(xattrs.map(([key, value]) => [key.slice(13), value.toString('base64')])),
    };
    const table = {
      type: entry?.type,
      name: entry?.name,
      linkName: entry?.linkName ?? '',
      mode: entry?.mode ?? 0,
      size: entry?.size ?? 0,
      uid: entry?.uid ?? 0,
      gid: entry?.gid ?? 0,
      modtime: entry?.modtime === undefined ? 0 : Date.parse(entry.modtime),
      devMajor: entry?.devMajor ?? 0,
      devMinor: entry?.devMinor ?? 0,
      xattrs: entry?.xattrs ?? {},
    };
    check(
      JSON.stringify(header_) === JSON.stringify(table),
      `${JSON.stringify(header_)} is in the table ${JSON.stringify(table)}`,
    );
    records = new Map();
  }
  check(next === wanted.length, `${next} headers, ${wanted.length} entries`);
}

/** `LENGTH KEY=VALUE\n` each (POSIX.1-2017, pax). */
function paxRecords(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at);
    const length = Number(bytes.subarray(at, space));
    const equals = bytes.indexOf('=', space);
    found.set(bytes.subarray(space + 1, equals).toString(), bytes.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return found;
}
