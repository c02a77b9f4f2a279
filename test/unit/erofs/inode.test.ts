import { expect, test } from 'vitest';
import { dataBlocks, encodeInode, inlineBytes, inodeBytes } from '../../../src/erofs/inode.ts';

const fields = { mode: 0o100444, gid: 7, size: 10, links: 3 };

/** By the offsets of Linux `fs/erofs/erofs_fs.h`. */
function encoded(change: Partial<typeof fields>, block = 0x12345): Buffer {
  const buffer = Buffer.alloc(128);
  encodeInode(buffer, 32, { ...fields, ...change }, { nid: 0x1_0000_0007, block });
  expect(buffer.subarray(0, 32).equals(Buffer.alloc(32))).toBe(true);
  return buffer.subarray(32);
}

test('a small file: 32 bytes, its data behind them', () => {
  const inode = encoded({});
  expect(inode.toString('hex', 0, 32)).toBe(
    ['0400', '0000', '2481', '0300', '0a000000', '00000000', 'ffffffff', '07000000', '0000', '0700', '00000000'].join(
      '',
    ),
  );
  expect(inode.subarray(32).equals(Buffer.alloc(64))).toBe(true);
});

test('whole blocks, with and without a rest behind the inode', () => {
  expect(encoded({ size: 8192 }).toString('hex', 0, 20)).toBe('00000000248103000020000000000000' + '45230100');
  expect(encoded({ size: 8193 }).toString('hex', 0, 20)).toBe('04000000248103000120000000000000' + '45230100');
  expect(encoded({ size: 0 }).toString('hex', 0, 20)).toBe('00000000248103000000000000000000' + '00000000');
});

test.each([
  [2 ** 32 - 1, 65_535, 32],
  [2 ** 32, 1, 64],
  [100, 65_536, 64],
])('%i bytes and %i links take %i', (size, links, bytes) => {
  expect(inodeBytes({ size, links })).toBe(bytes);
});

test('64 bytes: size, owner, time and links are wider', () => {
  const inode = encoded({ size: 5 * 2 ** 32 + 9, links: 70_000 });
  expect(inode.readUInt16LE(0)).toBe(5);
  expect(inode.readBigUInt64LE(8)).toBe(5n * 2n ** 32n + 9n);
  expect([16, 20, 28, 44].map((at) => inode.readUInt32LE(at))).toEqual([0x12345, 7, 7, 70_000]);
  expect(inode.readBigUInt64LE(32)).toBe(1n);
});

test('what stands behind an inode never crosses the end of its block', () => {
  expect([4063, 4064, 4065, 4096, 8160, 8161].map((size) => inlineBytes({ size, links: 1 }))).toEqual([
    4063, 4064, 0, 0, 4064, 0,
  ]);
  expect([0, 4064, 4065, 4096, 4097, 8161].map((size) => dataBlocks({ size, links: 1 }))).toEqual([0, 0, 1, 1, 1, 2]);
  const large = 2 ** 32;
  expect([4032, 4033].map((rest) => inlineBytes({ size: large + rest, links: 1 }))).toEqual([4032, 0]);
});
