import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { codecOf } from '../../../src/layer/codec.ts';
import { FramesHere } from '../../../src/layer/frames-here.ts';

const MOST = 128 * 1024;

/** Bytes that compress to half, and are the same in every run. */
const bytesOf = (length: number): Buffer =>
  Buffer.from(createHash('shake256', { outputLength: length }).update('frame').digest('hex').slice(0, length));

test('frames of one context are those of contexts of their own', () => {
  const kept = new FramesHere(MOST);
  const fresh = new FramesHere(MOST, '99.0.0');
  for (const level of [3, 1, 3, 19]) {
    for (const length of [0, 1, 512, 100_000, 700, MOST, MOST + 1, 3]) {
      const bytes = bytesOf(length);
      const frame = kept.frame(bytes, level);
      expect(Buffer.compare(frame, fresh.frame(bytes, level))).toBe(0);
      expect(zstdDecompressSync(frame).equals(bytes)).toBe(true);
    }
  }
  // Fails on a Node that was not tried yet: see whether it is the same inside, and name its version.
  expect([kept.isKept, fresh.isKept]).toEqual([true, false]);
});

test('versions of Node that are newer than the ones tried make each frame in a context of its own', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  for (const version of [`${major}.${minor + 100}.0`, `${major + 2}.0.0`, '24', 'v24.1.0', '']) {
    const frames = new FramesHere(MOST, version);
    expect(zstdDecompressSync(frames.frame(bytesOf(1000), 3)).equals(bytesOf(1000))).toBe(true);
    expect(frames.isKept).toBe(false);
  }
});

test.each([1, 3])('a codec of zstd makes the same bytes with frames that are kept, %i at once', async (parallel) => {
  const blocks = [1_048_576, 700_000, 1, 1_048_576].map(bytesOf);
  const made = async (frames?: FramesHere): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of codecOf('zstd', 3, frames).compress(blocks, { parallel }))
      chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  };
  const frames = new FramesHere(1_048_576);
  const bytes = await made(frames);
  expect(bytes.equals(await made())).toBe(true);
  expect(bytes.equals(await made(frames))).toBe(true);
  expect(frames.isKept).toBe(parallel === 1);
});
