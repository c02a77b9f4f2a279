import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inBlocks } from '../../../src/layer/blocks.ts';
import { codecOf } from '../../../src/layer/codec.ts';

/** `bytes` cut at arbitrary places, every chunk in memory that is used again for the next one. */
async function* cut(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(bytes.length);
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const part = bytes.subarray(at, at + (lengths[turn] ?? bytes.length));
    memory.set(part);
    yield memory.subarray(0, part.length);
    at += part.length;
  }
}

const gzip = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const out: Uint8Array[] = [];
  for await (const chunk of codecOf('gzip', 1).compress(inBlocks(chunks, 1000), { parallel: 2 }))
    out.push(Uint8Array.from(chunk));
  return Buffer.concat(out);
};

test('compressed bytes do not depend on how they arrived', async () => {
  const property = fc.asyncProperty(
    fc.uint8Array({ maxLength: 5000 }),
    fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 8 }),
    async (bytes, lengths) => {
      const whole = await gzip(cut(bytes, []));
      expect(await gzip(cut(bytes, lengths))).toEqual(whole);
      expect(gunzipSync(whole)).toEqual(Buffer.from(bytes));
    },
  );
  await fc.assert(property);
});
