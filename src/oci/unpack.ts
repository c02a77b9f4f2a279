import { createGunzip, createZstdDecompress } from 'node:zlib';
import { writeChunk } from '../core/stream.ts';
import type { Packing } from './packing.ts';
import { ZstdFrames } from './zstd-frames.ts';

type Part = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/** Gives a chunk to a part; resolves with how many of its bytes were the part's, rejects when it was stopped meanwhile. */
async function give(part: Part, chunk: Uint8Array): Promise<number> {
  const before = part.bytesWritten;
  await writeChunk(part, chunk);
  return part.bytesWritten - before;
}

/**
 * What packed bytes unpack to, chunk by chunk as it is asked for: memory does not grow with what comes out. zstd may
 * have several frames, gzip several members. `chunkSize` bytes come out at once (default: Node's, 16 KiB). Rejects with
 * zlib's error where the bytes are damaged or end too early.
 */
export async function* unpack(
  packing: Packing,
  packed: AsyncIterable<Uint8Array>,
  chunkSize = 16 * 1024,
): AsyncGenerator<Uint8Array> {
  const source = packed[Symbol.asyncIterator]();
  try {
    let rest = await source.next();
    // Node's reader of zstd stops after a frame where there is more in the same write. A reader for each costs twice the time where files have frames.
    const frames = packing === 'zstd' ? new ZstdFrames() : undefined;
    const feed = async (part: Part): Promise<void> => {
      for (let fresh = true; !rest.done; fresh = false) {
        const given = frames?.take(rest.value) ?? rest.value.length;
        const used = await give(part, rest.value.subarray(0, given));
        if (fresh && used === 0 && given > 0) throw new Error(`not ${packing}`);
        if (used === rest.value.length) rest = await source.next();
        else rest = { done: false, value: rest.value.subarray(used) };
        if (used < given) break;
      }
      part.end();
    };
    while (!rest.done) {
      const part = packing === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
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
