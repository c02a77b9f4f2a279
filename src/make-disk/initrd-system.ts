import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { fileError, withFileErrors } from '../core/file-error.ts';
import type { System } from '../oci/system.ts';
import { CpioReader } from './cpio-reader.ts';
import { readExecutable } from './executable.ts';

/** What an initrd is, as far as it can be told without a compressor that Node does not have. */
type InitrdKind =
  /** The first program in it. */
  | { readonly kind: 'program'; readonly name: string; readonly machine: string; readonly system: System | undefined }
  /** An archive without a program in its first bytes, or compressed by xz, lz4, bzip2 or lzma. */
  | { readonly kind: 'archive' }
  | { readonly kind: 'unknown' };

/** Unpacked bytes that are looked through for a program; it comes early, since initrds begin with their libraries and busybox. */
const LOOKED_THROUGH = 256 << 20;

/** First bytes of what Linux unpacks (`lib/decompress.c`) and Node does not. */
const OTHER_FORMATS = [
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], // xz
  [0x02, 0x21, 0x4c, 0x18], // lz4, as the kernel wants it
  [0x42, 0x5a, 0x68], // bzip2
  [0x5d, 0x00, 0x00], // lzma
  [0x89, 0x4c, 0x5a, 0x4f], // lzop
].map((bytes) => Buffer.from(bytes));

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/**
 * Tells for which machine the programs of an initrd are. An initrd is one cpio archive after another (Linux
 * `Documentation/driver-api/early-userspace/buffer-format.rst`), of which the first, with microcode, are not compressed. Throws
 * UserError `file` when it cannot be read.
 */
export async function initrdSystem(path: string): Promise<InitrdKind> {
  return withFileErrors(path, 'read', async () => {
    let start = 0;
    for (let archives = 0; ; archives += 1) {
      const magic = await bytesAt(path, start);
      const plain = magic.toString('latin1', 0, 5) === '07070';
      const unpack = plain ? undefined : decompressor(magic);
      if (!plain && unpack === undefined) {
        const known = archives > 0 || OTHER_FORMATS.some((format) => magic.subarray(0, format.length).equals(format));
        return { kind: known ? 'archive' : 'unknown' };
      }
      const file = createReadStream(path, { start, highWaterMark: 1 << 18 });
      // Not `pipe`: a file that cannot be read further has to end the other stream, and an end of that one the file.
      const reader = await look(path, unpack === undefined ? file : pipeline(file, unpack, () => {}));
      if (reader.program !== undefined) return reader.program;
      if (!plain || reader.end === undefined) return { kind: reader.entries > 0 ? 'archive' : 'unknown' };
      const next = await afterZeros(path, start + reader.end);
      if (next === undefined) return { kind: 'archive' };
      start = next;
    }
  });
}

const decompressor = (magic: Buffer): ReturnType<typeof createGunzip | typeof createZstdDecompress> | undefined =>
  magic.subarray(0, GZIP.length).equals(GZIP)
    ? createGunzip()
    : magic.subarray(0, ZSTD.length).equals(ZSTD)
      ? createZstdDecompress()
      : undefined;

interface Looked {
  readonly entries: number;
  readonly program: Extract<InitrdKind, { kind: 'program' }> | undefined;
  /** Bytes up to the end of the archive; undefined where it was not reached. */
  readonly end: number | undefined;
}

async function look(path: string, stream: Readable): Promise<Looked> {
  const reader = new CpioReader();
  let seen = 0;
  // A damaged end, unlike a file that cannot be read, is the kernel's to complain of; what came before it has been looked at.
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      for (const { name, head } of reader.push(chunk)) {
        const { format, machine, system } = readExecutable(head);
        if (format === 'ELF')
          return { entries: reader.entries, program: { kind: 'program', name, machine, system }, end: undefined };
      }
      seen += chunk.length;
      if (reader.end !== undefined || reader.isDamaged || seen > LOOKED_THROUGH) break;
    }
  } catch (error) {
    if (fileError(error, path, 'read') !== error) throw error;
    return { entries: reader.entries, program: undefined, end: undefined };
  } finally {
    stream.destroy();
  }
  return { entries: reader.entries, program: undefined, end: reader.end };
}

async function bytesAt(path: string, position: number): Promise<Buffer> {
  await using file = await open(path);
  const bytes = Buffer.alloc(16);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
  return bytes.subarray(0, bytesRead);
}

/** Where the zeros that fill up an archive end; undefined at the end of the file. */
async function afterZeros(path: string, position: number): Promise<number | undefined> {
  let at = position;
  for await (const chunk of createReadStream(path, { start: position }) as AsyncIterable<Buffer>) {
    const found = chunk.findIndex((byte) => byte !== 0);
    if (found >= 0) return at + found;
    at += chunk.length;
  }
  return undefined;
}
