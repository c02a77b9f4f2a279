import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockPool } from '../../../src/core/block-pool.ts';
import { fromText } from '../../../src/core/bytes.ts';
import { codecOf } from '../../../src/layer/codec.ts';
import { writeLayer } from '../../../src/layer/write-layer.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { TarEntry } from '../../../src/tar/entry.ts';
import { layerHeader } from '../../../src/tar/layer-header.ts';
import { STREAM_BLOCK, tarStream } from '../../../src/tar/writer.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const file = (path: string, bytes: Uint8Array = Buffer.alloc(0)): TarEntry & { type: 'file' } => ({
  type: 'file',
  path: fromText(path),
  mode: 0o444,
  uid: 0,
  gid: 0,
  content: { kind: 'bytes', bytes },
});

const tar = (entries: readonly TarEntry[]): Buffer => Buffer.concat([...tarStream(entries)]);

describe('layerHeader', () => {
  test('is one ustar block where that is enough', () => {
    const header = layerHeader({ type: 'directory', path: 'nix', mode: 0o755, uid: 0, gid: 0 });
    expect(header.length).toBe(512);
    expect(header.toString('latin1', 0, 5)).toBe('nix/\0');
    expect(header.toString('latin1', 100, 107)).toBe('0000755');
    expect(header.toString('latin1', 136, 147)).toBe('00000000001');
    expect(header[156]).toBe('5'.charCodeAt(0));
  });

  const pax: [string, TarEntry, string][] = [
    ['a name of 101 bytes', file('x'.repeat(101)), `111 path=${'x'.repeat(101)}\n`],
    ['a name that is not ASCII', file('grün'), '14 path=grün\n'],
    [
      'a link target of 150 bytes',
      { type: 'symlink', path: 'l', target: 't'.repeat(150), mode: 0o777, uid: 0, gid: 0 },
      `164 linkpath=${'t'.repeat(150)}\n`,
    ],
    ['9 GiB', { ...file('big'), content: { kind: 'path', path: '/x', size: 9 * 2 ** 30 } }, '19 size=9663676416\n'],
    ['a uid of 8 octal digits', { ...file('u'), uid: 0o10000000 }, '15 uid=2097152\n'],
  ];
  test.each(pax)('%s takes a pax record', (_name, entry, record) => {
    const header = layerHeader(entry);
    expect(header[156]).toBe('x'.charCodeAt(0));
    const size = Number.parseInt(header.toString('latin1', 124, 135), 8);
    expect(header.toString('utf8', 512, 512 + size)).toBe(record);
  });

  test('says that names are bytes when they are no UTF-8', () => {
    expect(layerHeader({ ...file(''), path: 'a\xff' }).toString('latin1')).toContain(
      '21 hdrcharset=BINARY\n11 path=a\xff\n',
    );
  });

  test('a record counts its own length right at every boundary', () => {
    fc.assert(
      fc.property(fc.integer({ min: 101, max: 1200 }), (length) => {
        const header = layerHeader(file('n'.repeat(length)));
        const size = Number.parseInt(header.toString('latin1', 124, 135), 8);
        const record = header.toString('utf8', 512, 512 + size);
        expect(Number(record.split(' ')[0])).toBe(record.length);
      }),
    );
  });
});

describe('tarStream', () => {
  test('gives blocks of 1 MiB and ends with two zero blocks', () => {
    const blocks: Buffer[] = [];
    for (const block of tarStream([file('a', Buffer.alloc(2 * STREAM_BLOCK + 5, 1)), file('b')])) blocks.push(block);
    expect(blocks.map((block) => block.length)).toEqual([STREAM_BLOCK, STREAM_BLOCK, 512 + 512 + 512 + 1024]);
    expect(
      blocks
        .at(-1)
        ?.subarray(-1024)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  test('a file that is not there is an error that names it', () => {
    const entry: TarEntry = { ...file('x'), content: { kind: 'path', path: '/nowhere/x', size: 5 } };
    expect(() => tar([entry])).toThrow('cannot read /nowhere/x');
  });

  test.each([3, 10_000_000])('a file that has another size than listed (%i) is an error', (size) => {
    const entry: TarEntry = { ...file('x'), content: { kind: 'path', path: import.meta.filename, size } };
    expect(() => tar([entry])).toThrow('changed while it was read');
  });

  test.each([512, 1024, 4096])('one more byte than listed is seen where blocks are of %i bytes', async (block) => {
    await using temp = await uniqueTempDir('tar-longer');
    const path = `${temp.path}/content`;
    await writeFile(path, Buffer.alloc(1537));
    const entry: TarEntry = { ...file('x'), content: { kind: 'path', path: fromText(path), size: 1536 } };
    expect(() => [...tarStream([entry], new BlockPool(block))]).toThrow('changed while it was read');
  });

  test('content that ends with a block, and blocks that are used again, come out whole', () => {
    const bytes = randomBytes(2 * STREAM_BLOCK - 1024);
    const pool = new BlockPool(STREAM_BLOCK);
    const parts: Buffer[] = [];
    for (const block of tarStream([file('a', bytes.subarray(0, STREAM_BLOCK - 512)), file('b', bytes)], pool)) {
      parts.push(Buffer.from(block));
      pool.give(block);
    }
    expect(Buffer.concat(parts).equals(tar([file('a', bytes.subarray(0, STREAM_BLOCK - 512)), file('b', bytes)]))).toBe(
      true,
    );
  });
});

describe('tarStream from a byte on', () => {
  test('is the rest of the tar, wherever it begins and however large its blocks are', async () => {
    await using temp = await uniqueTempDir('tar-from');
    const path = `${temp.path}/content`;
    await writeFile(path, randomBytes(5000));
    const onDisk: TarEntry = { ...file('b'), content: { kind: 'path', path: fromText(path), size: 5000 } };
    const entries = [file('a', randomBytes(700)), onDisk, file('c'.repeat(150)), file('d', randomBytes(512))];
    const whole = tar(entries);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length + 10 }), fc.integer({ min: 1, max: 3000 }), (from, size) => {
        const blocks = [...tarStream(entries, new BlockPool(size), from)];
        expect(Buffer.concat(blocks).equals(whole.subarray(from))).toBe(true);
        expect(blocks.slice(0, -1).every((block) => block.length === size)).toBe(true);
      }),
    );
  });

  test('files that end before it are not read', () => {
    const gone: TarEntry = { ...file('gone'), content: { kind: 'path', path: '/nowhere/x', size: 700 } };
    const rest = Buffer.concat([...tarStream([gone, file('a')], new BlockPool(STREAM_BLOCK), 512 + 1024)]);
    expect(rest.equals(tar([file('a')]))).toBe(true);
  });
});

/** Node's own decompressor stops after the first frame (and so tells where the next begins). */
function unzstd(bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    // The types leave out what `info` returns (https://nodejs.org/api/zlib.html#class-options).
    const frame = zstdDecompressSync(bytes.subarray(at), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    frames.push(frame.buffer);
    at += frame.engine.bytesWritten;
  }
  return Buffer.concat(frames);
}

describe('writeLayer', () => {
  const unpack = { gzip: gunzipSync, zstd: unzstd };
  test.each(['gzip', 'zstd'] as const)('%s: unpacks to what went in, digests and sizes are true', async (name) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 100_000 }), { maxLength: 8 }),
        async (blocks) => {
          const chunks: Uint8Array[] = [];
          const source = (async function* () {
            yield* blocks;
          })();
          const sink = async (chunk: Uint8Array): Promise<void> => void chunks.push(Uint8Array.from(chunk));
          const written = await writeLayer(source, codecOf(name, 2), sink, { parallel: 3 });
          const packed = Buffer.concat(chunks);
          const plain = Buffer.concat(blocks);
          // zstd knows no stream without a frame; a tar is never empty.
          if (name === 'gzip' || plain.length > 0) expect(unpack[name](packed).equals(plain)).toBe(true);
          expect(written).toMatchObject({
            size: packed.length,
            digest: digestOf(packed),
            diffId: digestOf(plain),
            unpackedSize: plain.length,
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  test.each(['gzip', 'zstd'] as const)('%s: on one thread or several, the bytes are the same', async (name) => {
    const blocks = Array.from({ length: 9 }, (_, at) => Buffer.concat([randomBytes(1000), Buffer.alloc(400_000, at)]));
    const digest = async (parallel: number) =>
      (await writeLayer(blocks, codecOf(name, 3), async () => {}, { parallel })).digest;
    expect([await digest(2), await digest(4)]).toEqual(Array(2).fill(await digest(1)));
  });

  test('an error of the sink ends the stream and is the error of the call', async () => {
    let ended = false;
    const source = (async function* () {
      try {
        for (;;) yield Buffer.alloc(1000);
      } finally {
        ended = true;
      }
    })();
    const full = async (): Promise<void> => {
      throw new Error('full');
    };
    await expect(writeLayer(source, codecOf('zstd', 1), full, { parallel: 2 })).rejects.toThrow('full');
    expect(ended).toBe(true);
  });
});
