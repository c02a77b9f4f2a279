import { expect, test } from 'vitest';
import { readFully, writeFully } from '../../../src/core/file-bytes.ts';

/** A file whose calls take three bytes at most. */
function slowFile(content: Buffer) {
  return {
    content,
    read: async (into: Uint8Array, offset: number, length: number, position: number) => {
      const part = content.subarray(position, position + Math.min(3, length));
      into.set(part, offset);
      return { bytesRead: part.length };
    },
    write: async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      const part = bytes.subarray(offset, offset + Math.min(3, length));
      content.set(part, position);
      return { bytesWritten: part.length };
    },
  };
}

test('reading goes on until all is there', async () => {
  const into = Buffer.alloc(8);
  expect(await readFully(slowFile(Buffer.from('0123456789')), into, 1)).toBe(8);
  expect(into.toString()).toBe('12345678');
});

test('reading ends where the file ends, and says how far it came', async () => {
  const into = Buffer.alloc(8, '.');
  expect(await readFully(slowFile(Buffer.from('0123456789')), into, 6)).toBe(4);
  expect(into.toString()).toBe('6789....');
});

test('writing goes on until all is written', async () => {
  const file = slowFile(Buffer.alloc(10, '.'));
  await writeFully(file, Buffer.from('1234567'), 2);
  expect(file.content.toString()).toBe('..1234567.');
});
