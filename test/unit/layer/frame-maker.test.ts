import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { codecOf } from '../../../src/layer/codec.ts';
import { FrameMaker } from '../../../src/layer/frame-maker.ts';

const MIB = 1024 * 1024;

/** Bytes that compress to half, and are the same in every run. */
const bytesOf = (length: number): Buffer =>
  Buffer.from(createHash('shake256', { outputLength: length }).update('frame').digest('hex').slice(0, length));

const LENGTHS = [0, 1, 512, 100_000, 700, MIB, MIB + 1, 3];

test('frames of kept contexts are those of contexts of their own, wherever they are made', async () => {
  const kept = new FrameMaker();
  const fresh = new FrameMaker('99.0.0');
  for (const level of [3, 1, 3, 5]) {
    const onPool = LENGTHS.map((length) => kept.frameOnPool(bytesOf(length), level));
    for (const [at, length] of LENGTHS.entries()) {
      const bytes = bytesOf(length);
      const frame = Buffer.from(fresh.frame(bytes, level));
      expect(zstdDecompressSync(frame).equals(bytes)).toBe(true);
      const others = [kept.frame(bytes, level), await onPool[at], await fresh.frameOnPool(bytes, level)];
      expect(others.map((other) => frame.equals(other as Uint8Array))).toEqual([true, true, true]);
    }
  }
  // Fails on a Node that was not tried yet: see whether it is the same inside, and name its version.
  expect(kept.kept).toBeGreaterThan(1);
  expect(fresh.kept).toBe(0);
});

test('a context of another level is not kept', async () => {
  const frames = new FrameMaker();
  const slow = frames.frameOnPool(bytesOf(MIB), 9);
  frames.frame(bytesOf(10), 3);
  await slow;
  expect(frames.kept).toBe(1);
  expect(zstdDecompressSync(frames.frame(bytesOf(1000), 3)).equals(bytesOf(1000))).toBe(true);
});

test('versions of Node that are newer than those tried make each frame in a context of its own', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  for (const version of [`${major}.${minor + 100}.0`, `${major + 2}.0.0`, '24', 'v24.1.0', '']) {
    const frames = new FrameMaker(version);
    expect(zstdDecompressSync(frames.frame(bytesOf(1000), 3)).equals(bytesOf(1000))).toBe(true);
    expect(frames.kept).toBe(0);
  }
});

test.each([1, 3])('a codec uses its contexts again, %i blocks at once', async (parallel) => {
  const blocks = [MIB, 700_000, 1, MIB, MIB, 5, MIB].map(bytesOf);
  const made = async (frames: FrameMaker): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of codecOf('zstd', 3, frames).compress(blocks, { parallel }))
      chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  };
  const frames = new FrameMaker();
  const bytes = await made(frames);
  expect(bytes.equals(await made(new FrameMaker('99.0.0')))).toBe(true);
  expect(bytes.equals(await made(frames))).toBe(true);
  expect(frames.kept).toBe(parallel);
});

test('who gives up in the middle waits for what is at work, and its contexts make the next frames', async () => {
  const frames = new FrameMaker();
  const blocks = Array.from({ length: 5 }, () => bytesOf(MIB));
  const left = { taken: 0, released: 0 };
  function* taken(): Generator<Buffer> {
    for (const block of blocks) {
      left.taken += 1;
      yield block;
    }
  }
  const release = (): void => {
    left.released += 1;
  };
  for await (const _chunk of codecOf('zstd', 3, frames).compress(taken(), { parallel: 3, release })) break;
  // All but the one whose turn had not come.
  expect(left.released).toBe(left.taken - 1);
  expect(frames.kept).toBe(3);
  for await (const chunk of codecOf('zstd', 3, frames).compress(blocks, { parallel: 3 }))
    expect(zstdDecompressSync(chunk).equals(bytesOf(MIB))).toBe(true);
  expect(frames.kept).toBe(3);
});
