import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { codecOf } from '../../../src/layer/codec.ts';

const BLOCKS = Array.from({ length: 12 }, (_, index) =>
  Buffer.concat([randomBytes(20_000), Buffer.alloc(20_000, index)]),
);

async function compressed(name: 'gzip' | 'zstd', parallel: number | (() => number)): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // What was yielded is gone with the next step.
  for await (const chunk of codecOf(name, 1).compress(BLOCKS, { parallel })) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

test.each([
  'gzip',
  'zstd',
] as const)('%s: how many blocks are compressed at once may change at each of them', async (name) => {
  const alone = await compressed(name, 1);
  if (name === 'gzip') expect(gunzipSync(alone).equals(Buffer.concat(BLOCKS))).toBe(true);
  const widths = [4, 1, 1, 3, 16, 2, 1];
  let block = 0;
  const changing = await compressed(name, () => widths[block++ % widths.length] ?? 1);
  expect(block).toBe(BLOCKS.length);
  expect(changing.equals(alone)).toBe(true);
});

test('a block is given back once, whoever compressed it', async () => {
  const back: Uint8Array[] = [];
  let block = 0;
  const options = { parallel: () => 1 + (block++ % 3), release: (each: Uint8Array) => void back.push(each) };
  for await (const _ of codecOf('zstd', 1).compress(BLOCKS, options));
  expect(new Set(back).size).toBe(BLOCKS.length);
  expect(back).toHaveLength(BLOCKS.length);
});
