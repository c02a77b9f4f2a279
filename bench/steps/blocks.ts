import { closeSync, openSync, readSync } from 'node:fs';

/** As large as the blocks of the engine. */
const BLOCK = 1 << 20;

/** A file as blocks, each a buffer of its own, read in the cheapest way there is. */
export async function* readBlocks(file: string): AsyncGenerator<Buffer> {
  const descriptor = openSync(file, 'r');
  try {
    for (;;) {
      const block = Buffer.allocUnsafe(BLOCK);
      const count = readSync(descriptor, block);
      if (count === 0) return;
      yield block.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
}
