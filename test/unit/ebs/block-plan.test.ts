import { createHash, hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BLOCK_BYTES, type BlockList } from '../../../src/disk/block-list.ts';
import { linearChecksum, planBlocks } from '../../../src/ebs/block-plan.ts';

const ZERO = hash('sha256', Buffer.alloc(BLOCK_BYTES), 'buffer');
const digest = (letter: string): Buffer => (letter === '0' ? ZERO : hash('sha256', letter, 'buffer'));

/** A disk whose blocks have the contents of letters; `0` is zeros. */
const disk = (letters: string, size = letters.length * BLOCK_BYTES): BlockList => ({
  size,
  digests: Buffer.concat([...letters].map(digest)),
});

const planned = (list: BlockList, options: Parameters<typeof planBlocks>[1]) => {
  const { send, skippedZero, skippedEqual } = planBlocks(list, options);
  return { send: [...send], skippedZero, skippedEqual };
};

test.each([
  ['zeros are left out of a new snapshot', 'a0b00', undefined, false, [0, 2], 3, 0],
  [
    'but not of an encrypted one, whose missing blocks are random bytes',
    'a0b00',
    undefined,
    true,
    [0, 1, 2, 3, 4],
    0,
    0,
  ],
  ['over a parent only what differs is sent', 'a0bxc', 'a0byc', false, [3], 0, 4],
  ['what became zeros is sent as zeros', 'a0b0c', 'axb0c', false, [1], 0, 4],
  ['zeros over zeros are equal', '0000', '0000', true, [], 0, 4],
  ['a larger disk: what is behind the parent is sent, zeros too', 'a00', 'a', false, [1, 2], 0, 1],
  ['nothing but zeros', '000', undefined, false, [], 3, 0],
] as const)('%s', (_what, list, parent, isEncrypted, send, skippedZero, skippedEqual) => {
  const options = { isEncrypted, parent: parent === undefined ? undefined : disk(parent) };
  expect(planned(disk(list), options)).toEqual({ send, skippedZero, skippedEqual });
});

test('a shorter last block never counts as zeros, for it has another digest', () => {
  const size = 2 * BLOCK_BYTES - 512;
  const digests = Buffer.concat([ZERO, hash('sha256', Buffer.alloc(BLOCK_BYTES - 512), 'buffer')]);
  expect(planned({ size, digests }, { isEncrypted: false })).toMatchObject({ send: [1], skippedZero: 1 });
});

test('a list that is a view into more bytes is read from its start', () => {
  const list = disk('xab');
  const view = { size: 2 * BLOCK_BYTES, digests: Uint8Array.from(list.digests).subarray(32) };
  expect(planned(view, { isEncrypted: false, parent: disk('ac') })).toMatchObject({ send: [1], skippedEqual: 1 });
});

test('the checksum over all is one over the digests as bytes, of the blocks that were written, in their order', () => {
  const { digests } = disk('a0bc');
  const expected = createHash('sha256').update(digest('a')).update(digest('b')).update(digest('c')).digest('base64');
  expect(linearChecksum(digests, Uint32Array.of(0, 2, 3))).toBe(expected);
});
