import { expect, test } from 'vitest';
import { type ByteString, compareBytes } from '../../../src/core/bytes.ts';
import { directorySize, encodeDirectory } from '../../../src/erofs/directory.ts';

/** 15 names of 242 bytes and one of `last`: with `.` and `..`, and 12 bytes for each, 3849 and the last. */
const names = (last: number): ByteString[] => [
  ...Array.from({ length: 15 }, (_, index) => `${10 + index}${'x'.repeat(240)}`),
  'y'.repeat(last),
];

test('entries fill a block to its end, and the next begins another', () => {
  expect(directorySize([])).toBe(27);
  expect(directorySize(names(246))).toBe(4095);
  expect(directorySize(names(247))).toBe(4096);
  // The last name is alone in the second block.
  expect(directorySize(names(248))).toBe(4096 + 12 + 248);
});

/** Names of a directory, as its blocks have them. */
function namesIn(directory: Buffer): ByteString[] {
  const found: ByteString[] = [];
  for (let start = 0; start < directory.length; start += 4096) {
    const block = directory.subarray(start, start + 4096);
    const count = block.readUInt16LE(8) / 12;
    for (let index = 0; index < count; index += 1) {
      const from = block.readUInt16LE(index * 12 + 8);
      const to = index + 1 < count ? block.readUInt16LE(index * 12 + 20) : block.length;
      found.push(block.toString('latin1', from, to).replace(/\0+$/, ''));
    }
  }
  return found;
}

test('names are in the order of their bytes, dots among them, whatever order they come in', () => {
  const list = ['a', '\xff', '+', '-', '.a', '..a', '0', 'A', ...names(250)];
  const entries = list.map((name, index) => ({ name, type: 'file' as const, nid: index }));
  const directory = encodeDirectory(entries, { nid: 1000, parent: 1001 });
  expect(directory.length).toBe(directorySize(list));
  expect(namesIn(directory)).toEqual([...list, '.', '..'].sort(compareBytes));
});
