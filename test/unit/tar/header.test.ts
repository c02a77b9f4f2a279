import { describe, expect, it } from 'vitest';
import { decodeHeader, encodeHeader, fileHeader, padding } from '../../../src/tar/header.ts';
import { decodePax, Extensions, paxBlocks } from '../../../src/tar/pax.ts';

it.each([
  [0, 0],
  [1, 511],
  [512, 0],
  [513, 511],
])('padding(%i)', (size, expected) => {
  expect(padding(size)).toBe(expected);
});

describe('headers', () => {
  it.each([
    ['manifest.json', 0, '0'],
    ['blobs/sha256/', 0, '5'],
    [`blobs/sha256/${'a'.repeat(64)}`, 8 ** 11 - 1, '0'],
    ['large', 8 ** 11, '0'],
    ['larger', 2 ** 50 + 3, '0'],
  ])('%s with %d bytes come back', (name, size, type) => {
    const mode = type === '5' ? 0o755 : 0o644;
    const expected = { name, size, type, link: '', mode, uid: 0, gid: 0, mtime: 1 };
    expect(decodeHeader(fileHeader(name, size))).toEqual(expected);
  });

  it('too long a name is a bug', () => {
    expect(() => fileHeader('x'.repeat(101), 0)).toThrow(RangeError);
  });

  it('every field comes back, numbers beyond octal digits too', () => {
    const fields = {
      type: '0',
      name: 'n',
      link: 'l',
      size: 2 ** 40,
      mode: 0o4755,
      uid: 2 ** 31,
      gid: 2 ** 22,
      mtime: 2 ** 34,
    };
    expect(decodeHeader(encodeHeader(fields))).toEqual(fields);
    expect(decodeHeader(encodeHeader({ ...fields, prefix: 'p/q', device: true, uname: 'u' }))).toEqual({
      ...fields,
      name: 'p/q/n',
    });
  });

  it('zeros are the end', () => {
    expect(decodeHeader(Buffer.alloc(512))).toBeUndefined();
  });

  it.each([
    ['a changed byte', 0, 'x'],
    ['a size that is no number', 124, 'zzz'],
  ])('%s is refused', (_name, at, text) => {
    const block = fileHeader('name', 5);
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

describe('what stands before an entry', () => {
  const header = { type: '0', name: 'short', link: '', size: 1, mode: 0, uid: 1, gid: 2, mtime: 3 };
  const ofType = (type: string) => ({ ...header, type });
  const records = (text: Record<string, string>): Buffer => {
    const blocks = paxBlocks(
      header,
      Object.entries(text).map(([key, value]) => [key, Buffer.from(value)]),
    );
    return blocks.subarray(512, 512 + (decodeHeader(blocks)?.size ?? 0));
  };

  it('overrides its header, the last word counts, and is forgotten after it', () => {
    const extensions = new Extensions();
    extensions.add(ofType('L'), Buffer.from('from GNU\0\0'));
    extensions.add(ofType('x'), records({ path: 'long', size: '7', uid: '8', mtime: '9.5', linkpath: 'there' }));
    extensions.add(ofType('K'), Buffer.from('elsewhere\0'));
    extensions.add(ofType('g'), records({ path: 'all' }));
    const applied = { ...header, name: 'long', size: 7, uid: 8, mtime: 9, link: 'elsewhere' };
    expect([extensions.apply(header), extensions.apply(header)]).toEqual([applied, header]);
  });

  it.each(['-1', '1e3', '0x10', ''])('a size of %j is refused', (size) => {
    const extensions = new Extensions();
    extensions.add(ofType('x'), records({ size }));
    expect(() => extensions.apply(header)).toThrow('a size in it is not a number');
  });

  it('of more than 1 MiB is refused, unless it says nothing about a single file', () => {
    expect(() => Extensions.contentSize({ ...header, type: 'L', size: 2 ** 20 + 1 })).toThrow('longer than 1 MiB');
    expect(Extensions.contentSize({ ...header, type: 'g', size: 2 ** 30 })).toBe(0);
  });
});
