import { expect, test } from 'vitest';
import { dataRuns } from '../../../src/core/data-runs.ts';

const zeros = (bytes: number): Buffer => Buffer.alloc(bytes);
const data = (bytes: number): Buffer => Buffer.alloc(bytes, 1);
const runsOf = (position: number, ...parts: readonly Buffer[]): (readonly [number, number])[] =>
  [...dataRuns(Buffer.concat(parts), position)].map(({ from, to }) => [from, to]);

test('blocks of zeros are left out, and neighbours with data are one run', () => {
  expect(runsOf(0, zeros(8192))).toEqual([]);
  expect(runsOf(0, data(4096), data(4096))).toEqual([[0, 8192]]);
  expect(runsOf(0, data(4096), zeros(4096), data(1), zeros(4095), zeros(4096))).toEqual([
    [0, 4096],
    [8192, 12288],
  ]);
});

test('blocks are those of the file, wherever the bytes begin', () => {
  // Up to the first block's end 96 bytes, then a block of zeros, then 10 bytes of the next.
  expect(runsOf(4000, data(96), zeros(4096), data(10))).toEqual([
    [0, 96],
    [4192, 4202],
  ]);
  // As many zeros as a block has, but in two blocks that have data too.
  expect(runsOf(2048, data(1), zeros(4096), data(1))).toEqual([[0, 4098]]);
});

test('a last block that is not whole is looked at as far as it goes', () => {
  expect(runsOf(0, data(4096), zeros(100))).toEqual([[0, 4096]]);
  expect(runsOf(0, zeros(4096), zeros(99), data(1))).toEqual([[4096, 4196]]);
  expect(runsOf(0)).toEqual([]);
});

test('bytes in the middle of a larger memory are looked at alone', () => {
  const memory = Buffer.concat([data(100), zeros(4096), data(100)]);
  expect([...dataRuns(memory.subarray(100, 4196), 0)]).toEqual([]);
});
