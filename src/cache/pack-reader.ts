import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { constants, createZstdDecompress } from 'node:zlib';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { writeChunk } from '../core/stream.ts';
import type { CachedPack, CachedPath, Piece } from './cache-index.ts';
import { checkedNar } from './checked-nar.ts';
import type { CacheStore } from './store.ts';

/** Four times the window of level 3: a frame of a stranger may ask for gigabytes of memory. */
const WINDOW_LOG_MAX = 23;

/**
 * Bytes that are read and unpacked in one go. Node's own sizes, 64 and 16 KiB, take twice the time of a core: each piece goes to
 * a thread and back. More than this gains a tenth.
 */
const CHUNK = 256 * 1024;

/** Where the packs of pieces are on this machine, by their number. */
export type FileOfPack = (pack: number) => string;

/**
 * The bytes of a path's frame. All of them lie in one buffer, so a chunk is good until the next one is asked for: a buffer for each
 * takes as much time again, for the collector goes through everything each time some megabytes of them are dead. Throws UserError
 * `file` when a pack cannot be read, `digest` when one is too short.
 */
export async function* readFrame(pieces: readonly Piece[], fileOf: FileOfPack): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (const { pack, offset, length } of pieces) {
    const file = fileOf(pack);
    const handle = await withFileErrors(file, 'read', () => open(file));
    try {
      for (let at = 0; at < length; ) {
        const size = Math.min(CHUNK, length - at);
        const { bytesRead } = await withFileErrors(file, 'read', () => handle.read(buffer, 0, size, offset + at));
        if (bytesRead === 0)
          throw new UserError('digest', `${file} ends ${length - at} bytes before the end of a path's frame`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }
}

/**
 * @internal The NAR of a path, from its frame. The last step throws UserError `digest` unless it was exactly the NAR of the index, so
 * nothing may count before the end has come; and it throws what reading the frame throws.
 */
export async function* unpackFrame(path: CachedPath, fileOf: FileOfPack): AsyncGenerator<Uint8Array> {
  const unpack = createZstdDecompress({
    chunkSize: CHUNK,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
  let packed = 0;
  async function feed(): Promise<void> {
    for await (const chunk of readFrame(path.pieces, fileOf)) {
      packed += chunk.length;
      // It is not needed once it was unpacked.
      await writeChunk(unpack, chunk);
    }
    unpack.end();
  }
  const reading = feed();
  // It is that of `unpack`, which is read below.
  reading.catch((error: Error) => unpack.destroy(error));
  try {
    yield* checkedNar(path, unpack);
    await reading;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('digest', `the frame of ${path.path} cannot be unpacked: ${(error as Error).message}`);
  } finally {
    unpack.destroy();
    // It holds the pack's file open.
    await reading.catch(() => undefined);
  }
  // Node stops at the end of a frame, without a word about what follows.
  if (unpack.bytesWritten !== packed) throw new UserError('digest', `something follows the frame of ${path.path}`);
}

/** Gives memory back at once that nobody looks at any more. What shares it with others stays. */
function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Reads a path's frame once, and throws as `unpackFrame` does unless it holds the path's NAR. */
export async function checkFrame(path: CachedPath, fileOf: FileOfPack): Promise<void> {
  for await (const chunk of unpackFrame(path, fileOf)) release(chunk);
}

/**
 * Restores a pack to `file`: true when it is the one of the index. Otherwise the log says what is lost, unless `store` said it.
 * Throws what `store` throws.
 */
export async function restorePack(
  { store, log }: { readonly store: CacheStore; readonly log: { warn(text: string): void } },
  pack: CachedPack,
  file: string,
): Promise<boolean> {
  const lost = (why: string): false => {
    log.warn(`a pack of the cache is not used, what is in it is built again: ${pack.key} ${why}`);
    return false;
  };
  if (!(await store.restore(pack.key, file))) return lost(`is gone from ${store.name}`);
  const { size } = await withFileErrors(file, 'read', () => stat(file));
  if (size !== pack.bytes) return lost(`has ${size} bytes instead of ${pack.bytes}`);
  const found = await withFileErrors(file, 'read', () => sha256Of(file));
  return found === pack.sha256 || lost(`has the SHA-256 ${found} instead of ${pack.sha256}`);
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
