import { expect, test } from 'vitest';
import { crc32c } from '../../../src/erofs/crc32c.ts';
import { decodeSuperblock, encodeSuperblock } from '../../../src/erofs/superblock.ts';

const identity = { uuid: '6b1c2f6e-0d6f-4e6a-9a3a-2f1d5c0b9e77', label: 'nix-store' };
const superblock = { blocks: 1234, inodes: 2 ** 33, rootNid: 64 };

function encoded(change: Partial<typeof identity> = {}): Buffer {
  const block = Buffer.alloc(4096);
  encodeSuperblock(block, superblock, { ...identity, ...change });
  return block;
}

test('the checksum is that of RFC 3720, not inverted in the end', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(~0xe3069283 >>> 0);
  expect(crc32c(Buffer.alloc(32))).toBe(~0x8a9136aa >>> 0);
});

test('what is written is read again', () => {
  expect(decodeSuperblock(encoded(), 'disk.raw')).toEqual(superblock);
  expect(encoded({ label: '123456789012345' }).toString('latin1', 1024 + 64, 1024 + 81)).toBe('123456789012345\0\0');
});

test.each([
  [{ label: '1234567890123456' }, '"1234567890123456" is not a valid label of a file system'],
  [{ label: '' }, '"" is not a valid label'],
  [{ label: 'a b' }, '"a b" is not a valid label'],
  [{ uuid: '6b1c2f6e' }, '6b1c2f6e is not a valid UUID'],
])('%j is refused', (change, message) => {
  expect(() => encoded(change)).toThrow(message);
});

test.each<[string, number, number]>([
  ['compression', 1024 + 80, 1],
  ['other blocks', 1024 + 12, 9],
  ['metadata elsewhere', 1024 + 40, 1],
])('an EROFS with %s is not one of ours', (_, at, value) => {
  const block = encoded();
  block.writeUInt8(value, at);
  block.writeUInt32LE(0, 1028);
  block.writeUInt32LE(crc32c(block.subarray(1024)), 1028);
  expect(() => decodeSuperblock(block, 'disk.raw')).toThrow(
    'cannot read the file system of disk.raw: not an uncompressed file system with blocks of 4096 bytes',
  );
});
