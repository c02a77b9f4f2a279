import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeIndex, encodeIndex } from '../../../src/cache/index-file.ts';
import { sampleIndex } from './sample.ts';

const index = sampleIndex({ one: { bash: {}, app: { seconds: 0.5 } } }, { app: ['bash', 'app'] });

const packed = (value: unknown): Buffer => zstdCompressSync(JSON.stringify(value));

test('an index is read as it was written', () => {
  expect(decodeIndex(encodeIndex(index))).toEqual({ kind: 'index', index });
});

test('a newer version is told apart from what is of no use', () => {
  expect(decodeIndex(packed({ ...index, version: 2, more: true }))).toEqual({
    kind: 'newer',
    why: 'it has version 2',
  });
  expect(decodeIndex(packed({ ...index, version: 0 }))).toEqual({ kind: 'unusable', why: 'it has version 0' });
});

const [path] = index.paths;
const [pack] = index.packs;

test.each<[string, unknown]>([
  ['a list', []],
  ['no version', { ...index, version: undefined }],
  ['a piece behind the end of its pack', { ...index, packs: [{ ...pack, bytes: 150 }] }],
  ['a pack that is not there', { ...index, packs: [] }],
  ['a pack twice', { ...index, packs: [pack, pack] }],
  ['a path twice', { ...index, paths: [path, path] }],
  ['a path outside of the store', { ...index, paths: [{ ...path, path: '/nix/store/../../etc/passwd' }] }],
  ['a reference with a line end', { ...index, paths: [{ ...path, references: [`${path?.path}\nSig: x`] }] }],
  ['another hash', { ...index, paths: [{ ...path, narHash: 'md5-AAAA' }] }],
  ['a negative offset', { ...index, paths: [{ ...path, pieces: [{ pack: 0, offset: -1, length: 10 }] }] }],
  ['an offset that is not whole', { ...index, paths: [{ ...path, pieces: [{ pack: 0, offset: 0.5, length: 10 }] }] }],
  ['no pieces', { ...index, paths: [{ ...path, pieces: [] }] }],
  ['too many pieces', { ...index, paths: [{ ...path, pieces: Array(2001).fill({ pack: 0, offset: 0, length: 1 }) }] }],
  ['the key of something else', { ...index, packs: [{ ...pack, key: 'node-modules' }] }],
  ['too many packs', { ...index, packs: Array(10_001).fill(pack) }],
])('not taken: %s', (_what, value) => {
  expect(decodeIndex(packed(value)).kind).toBe('unusable');
});

test('bytes that are not zstd, cut, too long, or unpack to too much are of no use', () => {
  const file = encodeIndex(index);
  expect(decodeIndex(Buffer.from('hello')).kind).toBe('unusable');
  expect(decodeIndex(file.subarray(0, -3)).kind).toBe('unusable');
  expect(decodeIndex(Buffer.alloc(0)).kind).toBe('unusable');
  expect(decodeIndex(new Uint8Array(16_000_001)).kind).toBe('unusable');
  // 3 kB that stand for 100 MB.
  expect(decodeIndex(zstdCompressSync(Buffer.alloc(100_000_000)))).toMatchObject({ kind: 'unusable' });
});

test('what would not be read is not written', () => {
  expect(() => encodeIndex({ ...index, packs: [] })).toThrow(TypeError);
});
