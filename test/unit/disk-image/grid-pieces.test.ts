import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BLOCK_BYTES, type BlockList } from '../../../src/disk/block-list.ts';
import { boundedPieces, gridPieces } from '../../../src/disk-image/grid-pieces.ts';

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const ZERO = digest(Buffer.alloc(BLOCK_BYTES));
const DATA = digest(Buffer.from('data'));

/** A disk of so many blocks, of which some are not zeros. */
const disk = (count: number, data: readonly number[], size = count * BLOCK_BYTES): BlockList => ({
  size,
  digests: Buffer.concat(Array.from({ length: count }, (_, at) => (data.includes(at) ? DATA : ZERO))),
});

const inBlocks = (pieces: readonly { offset: number; length: number }[]) =>
  pieces.map(({ offset, length }) => [offset / BLOCK_BYTES, length / BLOCK_BYTES]);

test('a disk is cut in windows of 4 MiB, from the first block with data to the last; empty ones are left out', () => {
  expect(inBlocks(gridPieces(disk(40, [1, 3, 7, 8, 9, 33])))).toEqual([
    [1, 7],
    [8, 2],
    [33, 1],
  ]);
  expect(gridPieces(disk(16, []))).toEqual([]);
});

test('a piece ends with the disk, within its last block', () => {
  expect(gridPieces(disk(2, [1], BLOCK_BYTES + 512))).toEqual([{ offset: BLOCK_BYTES, length: 512 }]);
});

test('windows grow until at most 150 have data, wherever it lies', () => {
  const full = Array.from({ length: 151 * 8 }, (_, at) => at);
  expect(gridPieces(disk(150 * 8, full.slice(0, 150 * 8)))).toHaveLength(150);
  expect(gridPieces(disk(151 * 8, full))).toHaveLength(76);
});

test('long pieces are cut from their beginning on, and too many become fewer, in order and with all data', () => {
  const limits = { most: 3, longest: 100 };
  expect(boundedPieces([{ offset: 10, length: 250 }], limits)).toEqual([
    { offset: 10, length: 100 },
    { offset: 110, length: 100 },
    { offset: 210, length: 50 },
  ]);
  const many = Array.from({ length: 7 }, (_, at) => ({ offset: at * 10, length: 5 }));
  expect(boundedPieces(many, limits)).toEqual([
    { offset: 0, length: 25 },
    { offset: 30, length: 25 },
    { offset: 60, length: 5 },
  ]);
  expect(boundedPieces(many)).toEqual(many);
});
