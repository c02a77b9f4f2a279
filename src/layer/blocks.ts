/**
 * The same bytes in blocks of exactly `size` (the last one shorter), each a buffer of its own. What a codec makes depends
 * on where blocks end, and chunks from a network end anywhere.
 */
export async function* inBlocks(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let block = Buffer.allocUnsafe(size);
  let used = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - used);
      block.set(part, used);
      at += part.length;
      used += part.length;
      if (used < size) continue;
      yield block;
      block = Buffer.allocUnsafe(size);
      used = 0;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}
