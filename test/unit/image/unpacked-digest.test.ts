import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { constants, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { zeroFrames } from '../../../src/disk/zero-frames.ts';
import { unpackedDigest } from '../../../src/image/unpacked-digest.ts';
import { unpack as unpackStream } from '../../../src/oci/unpack.ts';
import { ZstdFrames } from '../../../src/oci/zstd-frames.ts';

const parts = [Buffer.concat([randomBytes(300_000), Buffer.alloc(3_000_000, 1)]), Buffer.alloc(50_000, 2)];
const whole = Buffer.concat(parts);
const expected = `sha256:${createHash('sha256').update(whole).digest('hex')}`;

const unpack = async (encoding: 'gzip' | 'zstd', packed: Buffer, step: number) => {
  const digest = unpackedDigest(encoding, 'a layer');
  for (let at = 0; at < packed.length; at += step) await digest.write(packed.subarray(at, at + step));
  return digest.end();
};

describe.each([
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const)('%s', (encoding, pack) => {
  const packed = Buffer.concat(parts.map((part) => pack(part)));

  test.each([97, 4096, 1_000_000, packed.length])('in several parts, given by %d bytes', async (step) => {
    expect(await unpack(encoding, packed, step)).toEqual({ diffId: expected, unpackedSize: whole.length });
  });

  test.each([
    ['cut off', packed.subarray(0, -5)],
    ['followed by something else', Buffer.concat([packed, Buffer.from('junk!')])],
    ['empty', Buffer.alloc(0)],
  ])('refuses what is %s', async (_what, bytes) => {
    await expect(unpack(encoding, bytes, 1000)).rejects.toThrow();
  });
});

function foundFrames(chunks: readonly Buffer[]): number[] {
  const finder = new ZstdFrames();
  const lengths: number[] = [];
  let length = 0;
  for (const chunk of chunks) {
    for (let left = chunk; left.length > 0; ) {
      const taken = finder.take(left);
      left = left.subarray(taken);
      length += taken;
      if (!finder.isBetween) continue;
      lengths.push(length);
      length = 0;
    }
  }
  return lengths;
}

test('frames of zstd of all shapes, wherever what is given ends', async () => {
  const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
  const skippable = Buffer.from('5c2a4d1803000000abcdef', 'hex');
  const frames = [
    ...[zstdCompressSync(Buffer.from('a file\n'), checked), zstdCompressSync(Buffer.alloc(0)), skippable],
    ...[
      zstdCompressSync(Buffer.alloc(300_000, 1)),
      zstdCompressSync(randomBytes(700)),
      Buffer.from('5a2a4d1800000000', 'hex'),
    ],
    ...[...zeroFrames(200_000)].map((frame) => Buffer.from(frame)),
  ];
  const packed = Buffer.concat(frames);
  const content = Buffer.concat(
    frames.map((frame) => (frame[0] === 0x28 ? zstdDecompressSync(frame) : Buffer.alloc(0))),
  );
  const diffId = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  for (const step of [1, 3, packed.length]) {
    expect(await unpack('zstd', packed, step)).toEqual({ diffId, unpackedSize: content.length });
    const chunks = Array.from({ length: Math.ceil(packed.length / step) }, (_, at) =>
      packed.subarray(at * step, (at + 1) * step),
    );
    const unpacked: Uint8Array[] = [];
    for await (const bytes of unpackStream('zstd', Readable.from(chunks))) unpacked.push(bytes);
    expect(Buffer.concat(unpacked).equals(content)).toBe(true);
    // Both would go on with a decoder for each frame where this were wrong.
    expect(foundFrames(chunks)).toEqual(frames.map(({ length }) => length));
  }
  // Where frames end it is whole, and nowhere else.
  const ends = new Set(frames.map((_, at) => Buffer.concat(frames.slice(0, at + 1)).length));
  for (const cut of [1, 3, 4, 5, 8, 15, ...[...ends].flatMap((end) => [end - 1, end, end + 1, end + 4])]) {
    const cutOff = unpack('zstd', packed.subarray(0, cut), 1000);
    if (ends.has(Math.min(cut, packed.length))) await cutOff;
    else await expect(cutOff, `cut at ${cut}`).rejects.toThrow();
  }
});
