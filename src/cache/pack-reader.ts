import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdDecompress } from 'node:zlib';
import { UserError } from '../core/error.ts';
import { fileError, withFileErrors } from '../core/file-error.ts';
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

/** The bytes of a path's frame. Throws UserError `file` when a pack cannot be read, `digest` when one is too short. */
export async function* readFrame(pieces: readonly Piece[], fileOf: FileOfPack): AsyncGenerator<Buffer> {
  for (const { pack, offset, length } of pieces) {
    const file = fileOf(pack);
    let left = length;
    const range = { start: offset, end: offset + length - 1, highWaterMark: CHUNK };
    try {
      for await (const chunk of createReadStream(file, range)) {
        left -= (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    } catch (error) {
      throw fileError(error, file, 'read');
    }
    if (left > 0) throw new UserError('digest', `${file} ends ${left} bytes before the end of a path's frame`);
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
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of readFrame(path.pieces, fileOf)) {
      packed += chunk.length;
      yield chunk;
    }
  }
  const reading = pipeline(counted(), unpack);
  // Its error is that of `unpack`, which is read below.
  reading.catch(() => undefined);
  try {
    yield* checkedNar(path, unpack);
    await reading;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('digest', `the frame of ${path.path} cannot be unpacked: ${(error as Error).message}`);
  } finally {
    unpack.destroy();
  }
  // Node stops at the end of a frame, without a word about what follows.
  if (unpack.bytesWritten !== packed) throw new UserError('digest', `something follows the frame of ${path.path}`);
}

/** Reads a path's frame once, and throws as `unpackFrame` does unless it holds the path's NAR. */
export async function checkFrame(path: CachedPath, fileOf: FileOfPack): Promise<void> {
  for await (const _ of unpackFrame(path, fileOf));
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
