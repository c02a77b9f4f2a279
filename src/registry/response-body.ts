import { UserError } from '../io/error.ts';

/**
 * A server that sends nothing for this long is taken for dead, in milliseconds: longer than a slow registry's cold start,
 * shorter than a person's patience.
 */
export const IDLE_TIME = 60_000;

// Small answers take no longer than so many idle times, however steadily they trickle: 4 MiB at 35 KiB/s.
const IDLE_TIMES_IN_ALL = 2;

/** The user's own stop, as the error that is shown. */
export const cancelled = (cause?: unknown): UserError => new UserError('cancelled', 'Cancelled.', { cause });

type ChunkReader = ReadableStreamDefaultReader<Uint8Array>;

const readChunk = async (reader: ChunkReader, idleTime: number) => {
  let timer: NodeJS.Timeout | undefined;
  const dead = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte came for ${idleTime / 1000} s`)), idleTime);
  });
  try {
    return await Promise.race([reader.read(), dead]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * The body, chunk by chunk. Throws when the connection breaks or stalls, UserError `cancelled` when the signal
 * fires. Leaving early ends the connection.
 */
export async function* readBody(
  response: Response,
  signal?: AbortSignal,
  idleTime: number = IDLE_TIME,
): AsyncGenerator<Uint8Array> {
  const reader: ChunkReader | undefined = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await readChunk(reader, idleTime);
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (signal?.aborted) throw cancelled(error);
    throw error;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * At most `limit` bytes of the body; what follows is not read. Throws as `readBody` does, and when all of it takes longer
 * than twice `idleTime` (milliseconds).
 */
export const readCapped = async (
  response: Response,
  limit: number,
  signal?: AbortSignal,
  idleTime: number = IDLE_TIME,
): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const latest = performance.now() + IDLE_TIMES_IN_ALL * idleTime;
  for await (const chunk of readBody(response, signal, idleTime)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
    if (performance.now() > latest) throw new Error(`no end came within ${(IDLE_TIMES_IN_ALL * idleTime) / 1000} s`);
  }
  return Buffer.concat(chunks).subarray(0, limit);
};

/** Reads a small body to its end, so that the connection can be used again. */
export const drain = async (response: Response, signal?: AbortSignal): Promise<void> => {
  await readCapped(response, 64 * 1024, signal).catch(() => undefined);
};
