import { describe, expect, it } from 'vitest';
import { decodeHeader, decodePax, encodeHeader, paddingOf } from '../../../src/tar/read-header.ts';

it.each([
  [0, 0],
  [1, 511],
  [512, 0],
  [513, 511],
])('paddingOf(%i)', (size, expected) => {
  expect(paddingOf(size)).toBe(expected);
});

describe('headers', () => {
  it.each([
    ['manifest.json', 0, '0'],
    ['blobs/sha256/', 0, '5'],
    [`blobs/sha256/${'a'.repeat(64)}`, 8 ** 11 - 1, '0'],
    ['large', 8 ** 11, '0'],
    ['larger', 2 ** 50 + 3, '0'],
  ])('%s with %d bytes come back', (name, size, type) => {
    expect(decodeHeader(encodeHeader(name, size))).toEqual({ name, size, type, link: '' });
  });

  it('too long a name is a bug', () => {
    expect(() => encodeHeader('x'.repeat(101), 0)).toThrow(RangeError);
  });

  it('zeros are the end', () => {
    expect(decodeHeader(Buffer.alloc(512))).toBeUndefined();
  });

  it.each([
    ['a changed byte', 0, 'x'],
    ['a size that is no number', 124, 'zzz'],
  ])('%s is refused', (_name, at, text) => {
    const block = encodeHeader('name', 5);
    block.write(text, at);
    expect(() => decodeHeader(block)).toThrow(RangeError);
  });
});

describe('decodePax', () => {
  it('reads records, with = and line ends in values', () => {
    expect([...decodePax(Buffer.from('12 path=a=b\n13 comment=\n\n'))]).toEqual([
      ['path', 'a=b'],
      ['comment', '\n'],
    ]);
  });
  it.each(['', '5 a=b\n'])('%j is fine or refused as a whole', (text) => {
    const read = () => decodePax(Buffer.from(text));
    if (text === '') expect(read().size).toBe(0);
    else expect(read).toThrow(RangeError);
  });
  it.each(['x', '-1 a=b\n', '99 a=b\n', '0 a=b\n'])('%j is refused', (text) => {
    expect(() => decodePax(Buffer.from(text))).toThrow(RangeError);
  });
});
