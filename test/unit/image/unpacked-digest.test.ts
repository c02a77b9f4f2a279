import { createHash, randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { unpackedDigest } from '../../../src/image/unpacked-digest.ts';

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
