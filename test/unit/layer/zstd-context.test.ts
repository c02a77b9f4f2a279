import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { frameBound, ZstdContext } from '../../../src/layer/zstd-context.ts';

const KIB = 1024;

test('a frame is given the memory that zstd asks for, and no more', () => {
  // What ZSTD_compressBound of zstd 1.5 says.
  const bounds = [
    [0, 64],
    [1000, 1066],
    [128 * KIB, 131_584],
    [128 * KIB + 1, 131_585],
    [1024 * KIB, 1_052_672],
  ];
  expect(bounds.map(([size = 0]) => frameBound(size))).toEqual(bounds.map(([, bound]) => bound));
});

test('a context that has failed makes no frame, and not the one before again', async () => {
  const context = new ZstdContext(3, KIB);
  const bytes = Buffer.from('some bytes');
  const room = Buffer.alloc(frameBound(KIB));
  expect(zstdDecompressSync(context.frame(bytes, room) as Buffer).equals(bytes)).toBe(true);
  context.close();
  expect(context.frame(Buffer.from('other bytes'), room)).toBeUndefined();
  await expect(context.frameOnPool(bytes)).rejects.toThrow('destroyed');
});
