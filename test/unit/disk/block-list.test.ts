import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BLOCK_BYTES, type BlockList, diskIdentity } from '../../../src/disk/block-list.ts';

const list: BlockList = { size: 2 ** 33 + 512, digests: createHash('sha256').update('one').digest() };

test('the identity is SHA-256 over digests and size', () => {
  const bytes = Buffer.concat([list.digests, Buffer.from('0000000200000200', 'hex')]);
  expect(diskIdentity(list)).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
});

test('blocks are those of EBS', () => {
  expect(BLOCK_BYTES).toBe(512 * 1024);
});

test('a disk that is only longer is another one', () => {
  expect(diskIdentity({ ...list, size: list.size + 512 })).not.toBe(diskIdentity(list));
});
