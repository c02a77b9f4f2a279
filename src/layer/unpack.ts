import { createGunzip, createZstdDecompress } from 'node:zlib';

/** What a stream of bytes is packed with. */
type Packing = 'gzip' | 'zstd';

/** First bytes of packed files, in hexadecimal: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1. */
const MAGIC: Readonly<Record<string, Packing>> = { '1f8b': 'gzip', '28b52ffd': 'zstd' };

/** Bytes at the beginning of a stream that tell what it is packed with. */
export const MAGIC_BYTES = 4;

/** What a stream is packed with, by its first bytes; undefined for anything else, a plain tar too. */
export const packingOf = (start: Uint8Array): Packing | undefined => {
  const hex = Buffer.from(start.subarray(0, MAGIC_BYTES)).toString('hex');
  return Object.entries(MAGIC).find(([magic]) => hex.startsWith(magic))?.[1];
};

type Part = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/** Gives a chunk to a part; resolves with how many of its bytes were the part's, rejects when it was stopped meanwhile. */
function give(part: Part, chunk: Uint8Array): Promise<number> {
  const before = part.bytesWritten;
  return new Promise((resolve, reject) => {
    const stopped = (): void => reject(new Error('stopped'));
    part.once('close', stopped);
    part.write(chunk, (error) => {
      part.off('close', stopped);
      if (error) reject(error);
      else resolve(part.bytesWritten - before);
    });
  });
}

/**
 * What packed bytes unpack to, chunk by chunk as it is asked for: memory does not grow with what comes out. zstd may
 * have several frames, gzip several members. Rejects with zlib's error where the bytes are damaged or end too early.
 */
export async function* unpack(packing: Packing, packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = packed[Symbol.asyncIterator]();
  try {
    let rest = await source.next();
    const feed = async (part: Part): Promise<void> => {
      for (let fresh = true; !rest.done; fresh = false) {
        const used = await give(part, rest.value);
        if (used < rest.value.length) {
          if (fresh && used === 0) throw new Error(`not ${packing}`);
          rest = { done: false, value: rest.value.subarray(used) };
          break;
        }
        rest = await source.next();
      }
      part.end();
    };
    while (!rest.done) {
      // Node's reader of zstd stops after one frame.
      const part = packing === 'gzip' ? createGunzip() : createZstdDecompress();
      const feeding = feed(part).catch((error: unknown) => {
        part.destroy(error instanceof Error ? error : new Error(String(error)));
      });
      yield* part;
      await feeding;
    }
  } finally {
    await source.return?.();
  }
}
