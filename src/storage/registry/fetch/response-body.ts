import { cancelled } from '../../../core/error.ts';
import { firstBytes } from '../../../core/stream.ts';
import { Pace, SlowLineError } from './pace.ts';

/**
 * A server that sends nothing for this long is taken for dead, in milliseconds: longer than a slow registry's cold start,
 * shorter than a person's patience.
 */
export const IDLE_TIME = 60_000;

// Idle times that an answer gets beside the time for its bytes at the slowest line's pace.
const IDLE_TIMES_IN_ALL = 2;

type ChunkReader = ReadableStreamDefaultReader<Uint8Array>;

async function readChunk(reader: ChunkReader, idleTime: number, pace: Pace) {
  let timer: NodeJS.Timeout | undefined;
  const left = pace.left();
  const late = new Promise<never>((_, reject) => {
    const error =
      left < idleTime ? new SlowLineError('the answer') : new Error(`no byte came for ${idleTime / 1000} s`);
    timer = setTimeout(() => reject(error), Math.max(0, Math.min(left, idleTime)));
  });
  const start = performance.now();
  try {
    const result = await Promise.race([reader.read(), late]);
    pace.moved(result.value?.length ?? 0, performance.now() - start);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The body, chunk by chunk. Throws when the connection breaks, stalls for `idleTime` (milliseconds) or is slower than
 * `SLOWEST_LINE` beyond twice that time (SlowLineError); UserError `cancelled` when the signal fires. The time that the
 * reader takes does not count. Leaving early ends the connection.
 */
export async function* readBody(
  response: Response,
  signal?: AbortSignal,
  idleTime: number = IDLE_TIME,
): AsyncGenerator<Uint8Array> {
  const reader: ChunkReader | undefined = response.body?.getReader();
  if (reader === undefined) return;
  const pace = new Pace(IDLE_TIMES_IN_ALL * idleTime);
  try {
    for (;;) {
      const { done, value } = await readChunk(reader, idleTime, pace);
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

/** At most `limit` bytes of the body; what follows is not read. Throws as `readBody` does. */
export const readCapped = (
  response: Response,
  limit: number,
  signal?: AbortSignal,
  idleTime: number = IDLE_TIME,
): Promise<Buffer> => firstBytes(readBody(response, signal, idleTime), limit);

/** Reads a small body to its end, so that the connection can be used again. What ends the request ends this too. */
export async function drain(response: Response): Promise<void> {
  await readCapped(response, 64 * 1024).catch(() => undefined);
}
