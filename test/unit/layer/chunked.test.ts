import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { fromText } from '../../../src/core/bytes.ts';
import { CHUNK } from '../../../src/layer/chunked/chunk-end.ts';
import { Crc64 } from '../../../src/layer/chunked/crc64.ts';
import { LayerIndex } from '../../../src/layer/chunked/layer-index.ts';
import { asChunked } from '../../../src/oci/read-chunked.ts';
import type { TarEntry } from '../../../src/tar/entry.ts';
import { BLOCK } from '../../../src/tar/header.ts';
import { sha256 } from '../../support/bytes.ts';
import { type MadeChunked, makeChunked, readMade } from '../../support/chunked-layer.ts';
import { readChunkedLayer, unpackZstd } from '../../support/chunked-reader.ts';

const OWNER = { uid: 0, gid: 0 };
/** Bytes that do not compress and are the same in every run. */
const noise = (length: number, seed: string): Buffer =>
  createHash('shake256', { outputLength: length }).update(seed).digest();

const directory = (path: string): TarEntry => ({ type: 'directory', path, mode: 0o555, ...OWNER });
const symlink = (path: string, target: string): TarEntry => ({ type: 'symlink', path, target, mode: 0o777, ...OWNER });
const file = (path: string, bytes: Uint8Array, xattrs?: ReadonlyMap<string, Uint8Array>): TarEntry => ({
  type: 'file',
  path,
  mode: 0o444,
  ...OWNER,
  content: { kind: 'bytes', bytes },
  ...(xattrs ? { xattrs } : {}),
});

const LARGE = noise(1_700_000, 'large');
const LONG = `nix/store/${'long-'.repeat(40)}`;

const MIXED: readonly TarEntry[] = [
  { ...directory('nix'), mtime: 0 } as TarEntry,
  directory('nix/store'),
  file('nix/store/empty', Buffer.alloc(0)),
  file('nix/store/small', Buffer.from('hello\n')),
  symlink('nix/store/link', 'small'),
  file('nix/store/whole-blocks', noise(2 * BLOCK, 'blocks')),
  file('nix/store/large', LARGE),
  file('nix/store/whole', noise(CHUNK.whole, 'whole')),
  // Without a place to cut.
  file('nix/store/same', Buffer.alloc(CHUNK.most - 1, 'same')),
  file('nix/store/longest', Buffer.alloc(2 * CHUNK.most, 'same')),
  file(LONG, Buffer.from('its name is in a pax header')),
  symlink('nix/store/far', LONG),
  file(fromText('nix/store/grün'), Buffer.from('UTF-8')),
  file('bin/ping', Buffer.from('capable'), new Map([['security.capability', Buffer.from([1, 0, 0, 2, 255])]])),
  { ...file('owned', Buffer.from('big ids')), uid: 3_000_000, gid: 4_000_000, mode: 0o4755 } as TarEntry,
  symlink('last', 'owned'),
];

const bytesOf = (entry: TarEntry): Uint8Array =>
  entry.type === 'file' && entry.content.kind === 'bytes' ? entry.content.bytes : new Uint8Array();

/** Reads a layer as a stranger does; it must be what its maker says of it. */
function check(made: MadeChunked) {
  const { layer, bytes } = made;
  const read = readMade(made);
  expect([layer.size, layer.digest, layer.diffId]).toEqual([bytes.length, sha256(bytes), sha256(read.tar)]);
  return read;
}

test('a layer of all kinds of entries: ordinary zstd, and each file by its range', async () => {
  const made = await makeChunked(MIXED);
  const { entries: rows, contents } = check(made);
  for (const entry of MIXED) {
    const name = Buffer.from(entry.type === 'directory' ? `${entry.path}/` : entry.path, 'latin1').toString();
    const row = rows.find((each) => each.name === name);
    expect(row).toMatchObject({
      type: { file: 'reg', directory: 'dir', symlink: 'symlink' }[entry.type],
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
    });
    const bytes = bytesOf(entry);
    expect(contents.get(name)?.equals(bytes)).toBe(true);
  }
  expect(rows.find(({ name }) => name === 'bin/ping')?.xattrs).toEqual({ 'security.capability': 'AQAAAv8=' });
  expect(rows.find(({ name }) => name === 'nix/store/far')?.linkName).toBe(LONG);
  expect(rows[0]?.modtime).toBe('1970-01-01T00:00:00Z');
  expect(rows[1]?.modtime).toBe('1970-01-01T00:00:01Z');
  expect(asChunked(made.layer.annotations)).toEqual(made.layer.annotations);
});

test('the same bytes, however many blocks are compressed at once and wherever they end', async () => {
  const { bytes } = await makeChunked(MIXED);
  let call = 0;
  const ways = [
    { parallel: 2 },
    { parallel: 4 },
    { parallel: () => [4, 1, 3][call++ % 3] ?? 1 },
    { block: 70_000 },
    { block: 4_096 },
  ];
  for (const way of ways) expect((await makeChunked(MIXED, way)).bytes.equals(bytes)).toBe(true);
});

test('a layer of nothing, and one without contents', async () => {
  expect(check(await makeChunked([])).entries).toEqual([]);
  const made = await makeChunked([directory('a'), symlink('a/b', 'c'), file('a/d', Buffer.alloc(0))]);
  expect(check(made).entries.map(({ type }) => type)).toEqual(['dir', 'symlink', 'reg']);
});

test('many small files', async () => {
  const entries = Array.from({ length: 1_500 }, (_, at) => file(`many/${at}`, Buffer.from(`${at}`)));
  const made = await makeChunked(entries);
  expect(check(made).entries).toHaveLength(1_500);
});

test('a file in which something is inserted has the chunks of before around it', async () => {
  const chunksOf = async (bytes: Uint8Array): Promise<string[]> =>
    check(await makeChunked([file('f', bytes)])).entries.flatMap(({ chunkDigest }) => chunkDigest ?? []);
  const before = await chunksOf(LARGE);
  const changed = Buffer.concat([LARGE.subarray(0, 700_000), Buffer.from('inserted'), LARGE.subarray(700_000)]);
  const after = await chunksOf(changed);
  expect(before.length).toBeGreaterThan(4);
  expect(after.filter((each) => !before.includes(each)).length).toBeLessThanOrEqual(2);
});

test.each<[string, TarEntry]>([
  ['name', file('nix/\xff', Buffer.from('x'))],
  ['target', symlink('nix/link', '\xff')],
])('a %s that is not UTF-8 makes a layer that is zstd and no more, and says why', async (_, entry) => {
  const made = await makeChunked([file('before', Buffer.from('x')), entry, file('behind', Buffer.from('y'))]);
  expect(made.layer.annotations).toEqual({
    'io.nix-images.layer.not-chunked': expect.stringContaining('is not UTF-8'),
  });
  expect(sha256(unpackZstd(made.bytes))).toBe(made.layer.diffId);
  expect(made.bytes.includes('GNUlInUx')).toBe(false);
  // It counts as what was asked for, or it would be made again in each publish.
  expect(asChunked(made.layer.annotations)).toEqual(made.layer.annotations);
});

test('a table of contents that clients refuse for its size is left out, and nothing else is', async () => {
  for (const [limit, isPlain] of [
    [1_000, true],
    [5_000, false],
  ] as const) {
    const index = new LayerIndex(limit);
    for (let at = 0; at < 20; at += 1) index.addRows(directory(`${at}`));
    const { bytes, annotations } = await index.end(0);
    expect([bytes.length === 0, 'io.nix-images.layer.not-chunked' in annotations]).toEqual([isPlain, isPlain]);
    index.close();
  }
});

test('CRC-64 is that of ISO 3309, wherever its bytes lie', () => {
  const text = Buffer.from('123456789');
  expect(new Crc64().update(text).digest().toString('hex')).toBe('b90956c775a41001');
  const bytes = noise(1000, 'crc');
  const sum = new Crc64().update(bytes).digest();
  for (const at of [1, 2, 3, 5, 511]) {
    const moved = Buffer.concat([Buffer.alloc(at), bytes]).subarray(at);
    expect(new Crc64().update(moved.subarray(0, at)).update(moved.subarray(at)).digest()).toEqual(sum);
  }
});

test('what is another in a bit is found by a stranger', async () => {
  const { layer, bytes } = await makeChunked(MIXED);
  const { annotations = {} } = layer;
  const { entries } = readChunkedLayer(bytes, annotations);
  expect(entries.filter(({ type }) => type !== 'chunk')).toHaveLength(MIXED.length);
  const large = entries.find(({ name }) => name.endsWith('/large'))?.offset ?? 0;
  for (const at of [large + 100, bytes.length - 1, bytes.length - 64]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(() => readChunkedLayer(damaged, annotations)).toThrow();
  }
});
