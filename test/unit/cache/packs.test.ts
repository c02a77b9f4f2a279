import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CachedPath } from '../../../src/cache/cache-index.ts';
import { inPackOrder } from '../../../src/cache/pack-order.ts';
import { checkFrame, readFrame, unpackFrame } from '../../../src/cache/pack-reader.ts';
import { type PackFile, PackWriter } from '../../../src/cache/pack-writer.ts';
import { storePathName } from '../../../src/definition/store-path.ts';
import { openFiles } from '../../support/open-files.ts';
import { X86 } from '../../support/systems.ts';
import { storePath } from './sample.ts';

let folder = '';
let packs: PackFile[] = [];
const fileOf = (pack: number): string => join(folder, `pack-${pack}`);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-packs-'));
  packs = [];
});
afterEach(() => rm(folder, { recursive: true }));

const infoOf = (name: string, nar: Uint8Array) => ({
  path: storePath(name),
  narHash: `sha256-${createHash('sha256').update(nar).digest('base64')}`,
  narSize: nar.length,
  references: [],
});

async function* inChunks(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const writerOf = (limit: number, onPack = async (pack: PackFile) => void packs.push(pack)) =>
  new PackWriter({ folder, limit, onPack });

const cached = (name: string, nar: Uint8Array, pieces: CachedPath['pieces']): CachedPath => ({
  ...infoOf(name, nar),
  pieces,
  seconds: 1,
  system: 'x86_64-linux',
  isLeaf: true,
  used: 0,
});

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const text = (length: number): Buffer =>
  Buffer.from('all work and no play '.repeat(length / 21 + 1)).subarray(0, length);

test('paths of every size come back as they were, over packs that are full to the byte', async () => {
  const nars = [randomBytes(150_000), text(500_000), randomBytes(1), randomBytes(64_000), text(3)];
  const writer = writerOf(40_000);
  const paths: CachedPath[] = [];
  for (const [at, nar] of nars.entries()) {
    paths.push(cached(`p${at}`, nar, await writer.add(infoOf(`p${at}`, nar), inChunks(nar))));
  }
  await writer.end();
  expect(packs.map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(packs.slice(0, -1).every(({ bytes }) => bytes === 40_000)).toBe(true);
  for (const { file, bytes, sha256 } of packs) {
    const content = await readFile(file);
    expect(content).toHaveLength(bytes);
    expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
  }
  expect(paths[0]?.pieces.length).toBeGreaterThan(3);
  for (const [at, path] of paths.entries())
    expect((await bytesOf(unpackFrame(path, fileOf))).equals(nars[at] ?? Buffer.alloc(0))).toBe(true);
});

test('a frame is copied into another pack as it is', async () => {
  const nar = randomBytes(50_000);
  const writer = writerOf(30_000);
  const path = cached('a', nar, await writer.add(infoOf('a', nar), inChunks(nar)));
  const copied = await writer.addFrame(readFrame(path.pieces, fileOf));
  await writer.end();
  expect(copied[0]?.pack).toBe(1);
  expect(await bytesOf(unpackFrame({ ...path, pieces: copied }, fileOf))).toEqual(nar);
});

test.each([
  ['shorter', (nar: Buffer) => nar.subarray(0, -1), 'has 49999 bytes instead of 50000'],
  ['longer', (nar: Buffer) => Buffer.concat([nar, nar]), 'has more than its 50000 bytes'],
  ['other', (nar: Buffer) => Buffer.concat([nar.subarray(1), nar.subarray(0, 1)]), 'has the hash sha256-'],
])('a NAR that is %s than promised leaves nothing, and what follows is right', async (_what, spoil, message) => {
  const good = randomBytes(50_000);
  for (const limit of [30_000, 1_000_000]) {
    packs = [];
    await rm(folder, { recursive: true });
    folder = await mkdtemp(join(tmpdir(), 'cache-packs-'));
    const writer = writerOf(limit);
    const before = cached('a', text(1000), await writer.add(infoOf('a', text(1000)), inChunks(text(1000))));
    await expect(writer.add(infoOf('b', good), inChunks(spoil(good)))).rejects.toThrow(message);
    const after = cached('b', good, await writer.add(infoOf('b', good), inChunks(good)));
    await writer.end();
    for (const path of [before, after]) await checkFrame(path, fileOf);
    for (const { file, sha256 } of packs)
      expect(
        createHash('sha256')
          .update(await readFile(file))
          .digest('hex'),
      ).toBe(sha256);
    if (limit > 50_000)
      expect((await stat(fileOf(0))).size).toBe(
        before.pieces[0] && after.pieces[0] && after.pieces[0].offset + after.pieces[0].length,
      );
  }
});

test('a stream that breaks off is the error that is thrown', async () => {
  const writer = writerOf(1_000_000);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield randomBytes(100);
    throw new Error('the store went away');
  }
  await expect(writer.add(infoOf('a', randomBytes(200)), broken())).rejects.toThrow('the store went away');
  await writer.end();
  expect(packs).toEqual([]);
});

test('a pack that is not taken stops the writing', async () => {
  const writer = writerOf(10_000, () => Promise.reject(new Error('not taken')));
  const nar = randomBytes(50_000);
  await expect(writer.add(infoOf('a', nar), inChunks(nar))).rejects.toThrow('not taken');
  await writer.abandon();
});

test('no pack is given out before the one before it is taken', async () => {
  let open = 0;
  let most = 0;
  const writer = writerOf(10_000, async () => {
    open += 1;
    most = Math.max(most, open);
    await new Promise((done) => setTimeout(done, 5));
    open -= 1;
  });
  const nar = randomBytes(100_000);
  await writer.add(infoOf('a', nar), inChunks(nar));
  await writer.end();
  expect({ most, open }).toEqual({ most: 1, open: 0 });
});

test.each<[string, (pack: Buffer) => Buffer]>([
  ['cut', (pack) => pack.subarray(0, -5)],
  ['empty', () => Buffer.alloc(0)],
  ['with one other bit', (pack) => pack.map((byte, at) => (at === 20_000 ? byte ^ 1 : byte)) as Buffer],
  ['of zeros', (pack) => Buffer.alloc(pack.length)],
])('a pack that is %s is never taken for the path', async (_what, spoil) => {
  const nar = randomBytes(50_000);
  const writer = writerOf(1_000_000);
  const path = cached('a', nar, await writer.add(infoOf('a', nar), inChunks(nar)));
  await writer.end();
  await writeFile(fileOf(0), spoil(await readFile(fileOf(0))));
  await expect(checkFrame(path, fileOf)).rejects.toMatchObject({ code: 'digest' });
});

test('bytes after the frame, a frame of other content and a missing pack are refused', async () => {
  const nar = text(50_000);
  const writer = writerOf(1_000_000);
  const [piece] = await writer.add(infoOf('a', nar), inChunks(nar));
  const [other] = await writer.add(infoOf('b', text(100)), inChunks(text(100)));
  await writer.end();
  if (!piece || !other) throw new Error('nothing was written');
  const longer = cached('a', nar, [{ ...piece, length: piece.length + 4 }]);
  await expect(checkFrame(longer, fileOf)).rejects.toThrow('something follows the frame of');
  await expect(checkFrame(cached('a', nar, [other]), fileOf)).rejects.toThrow('has 100 bytes instead of 50000');
  await rm(fileOf(0));
  await expect(checkFrame(cached('a', nar, [piece]), fileOf)).rejects.toMatchObject({ code: 'file' });
});

test('neither damage nor a reader that stops leaves a pack open', async () => {
  // Several reads of the pack, and more in each than is unpacked at once.
  const nar = randomBytes(3_000_000);
  const writer = writerOf(10_000_000);
  const path = cached('a', nar, await writer.add(infoOf('a', nar), inChunks(nar, 1_000_000)));
  await writer.end();
  for await (const _ of unpackFrame(path, fileOf)) break;
  expect(await openFiles(folder)).toEqual([]);
  await writeFile(fileOf(0), Buffer.alloc((await stat(fileOf(0))).size));
  await expect(checkFrame(path, fileOf)).rejects.toMatchObject({ code: 'digest' });
  expect(await openFiles(folder)).toEqual([]);
});

describe('the order of paths in packs', () => {
  const path = (name: string, rest: Partial<CachedPath> = {}) => ({ ...cached(name, text(1000), []), ...rest });
  const namesOf = (groups: readonly (readonly { readonly path: string }[])[]) =>
    groups.map((group) => group.map((one) => storePathName(one.path)));

  test('is by system, image, what they depend on, and seconds a byte', () => {
    const paths = [
      path('arm', { system: 'aarch64-linux', image: 'web' }),
      path('web-leaf', { image: 'web', seconds: 1000, references: [storePath('web-quick')] }),
      path('web-slow', { image: 'web', isLeaf: false, seconds: 100 }),
      path('web-quick', { image: 'web', isLeaf: false }),
      path('unknown', {}),
    ];
    expect(namesOf(inPackOrder(paths, []))).toEqual([['arm'], ['web-slow', 'web-quick', 'web-leaf'], ['unknown']]);
  });

  test('has what the same images need in one group, and groups with most in common side by side', () => {
    const closures = [
      { system: X86, image: 'a', paths: ['base', 'ab', 'a'].map(storePath) },
      { system: X86, image: 'b', paths: ['base', 'ab', 'b'].map(storePath) },
      { system: X86, image: 'c', paths: ['base', 'c'].map(storePath) },
      { system: 'aarch64-linux', image: 'c', paths: [storePath('a')] },
    ];
    const paths = ['c', 'b', 'a', 'ab', 'base'].map((name) => path(name, { image: 'a' }));
    expect(namesOf(inPackOrder(paths, closures))).toEqual([['base'], ['ab'], ['a'], ['b'], ['c']]);
  });

  test('of equals is by path, and what a path needs from elsewhere does not count', () => {
    const elsewhere = ['x', 'y', 'z'].map((name) => storePath(`${name}-elsewhere`));
    const paths = [
      path('needs-one', { image: 'web', seconds: 1000, references: [storePath('b')] }),
      path('b', { image: 'web' }),
      path('a', { image: 'web' }),
      path('needs-others', { image: 'web', seconds: 0, references: elsewhere }),
    ];
    const equals = [storePath('a'), storePath('b')].sort().map(storePathName);
    for (const order of [paths, paths.toReversed()])
      expect(namesOf(inPackOrder(order, []))).toEqual([[...equals, 'needs-others', 'needs-one']]);
  });

  test('goes on with the largest part in common, and ends one system before the next', () => {
    const images = (system: string, path: string, names: string) =>
      names.split('').map((image) => ({ system, image, paths: [storePath(path)] }));
    const groups = { most: 'abcdef', wide: 'abcgh', narrow: 'abc', other: 'xy', near: 'x' };
    const names = Object.keys(groups);
    const systems = ['aarch64-linux', X86];
    const closures = systems.flatMap((system) =>
      Object.entries(groups).flatMap(([name, needers]) => images(system, name, needers)),
    );
    const paths = names.flatMap((name) => systems.map((system) => path(name, { system })));
    const each = ['most', 'narrow', 'wide', 'other', 'near'];
    const expected = systems.flatMap((system) => each.map((name) => `${system} ${name}`));
    for (const order of [paths, paths.toReversed()]) {
      const ordered = inPackOrder(order, closures).map(([one]) => `${one?.system} ${storePathName(one?.path ?? '')}`);
      expect(ordered).toEqual(expected);
    }
  });

  test('knows who needs a path by who needed its last version', () => {
    const before = { system: X86, image: 'a', paths: ['lib-1.2-dev', 'tool-2024-01-02'].map(storePath) };
    const now = { system: X86, image: 'b', paths: ['lib-1.3-dev', 'tool-2024-02-03', 'own-1'].map(storePath) };
    const paths = now.paths.map((one) => path(storePathName(one)));
    const groups = namesOf(inPackOrder(paths, [before, now]));
    expect(groups.map((names) => names.sort())).toEqual([['lib-1.3-dev', 'tool-2024-02-03'], ['own-1']]);
  });
});
