import type { Body } from '../../../core/body.ts';
import type { StreamedBody } from '../send.ts';
import { Pace, SLOWEST_LINE, SlowLineError } from './pace.ts';

/**
 * The slowest store that an answer is awaited from once all is sent, in bytes per millisecond (4 MB/s): proxies may hold
 * back a whole request before they pass it on.
 */
const SLOWEST_STORE = 4_000;

/**
 * @internal The pieces of `body`; `late` is called when the line takes them slower than `SLOWEST_LINE` beyond `patience`
 * (milliseconds), or no answer comes in time after the last one. `end` ends the watch.
 */
export const watched = (
  body: StreamedBody,
  patience: number,
  late: (error: Error) => void,
): { readonly pieces: AsyncIterable<Uint8Array>; readonly end: () => void } => {
  const pace = new Pace(patience);
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const watch = (milliseconds: number, error: () => Error): void => {
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(() => late(error()), Math.max(0, milliseconds));
  };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const piece of body.pieces()) {
      watch(pace.left(piece.length), () => new SlowLineError('the upload'));
      const start = performance.now();
      yield piece;
      pace.moved(piece.length, performance.now() - start);
      clearTimeout(timer);
      size += piece.length;
    }
    const rest = patience + size / SLOWEST_STORE;
    watch(rest, () => new Error(`no answer within ${Math.round(rest / 1000)} s`));
  }
  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  return { pieces: pieces(), end };
};

/** As `fetch` wants them. */
async function* chunks(body: Body): AsyncGenerator<Uint8Array> {
  yield* body.pieces();
}

/** The body as `fetch` wants it, and a watch over the time until its answer; `late` is called when that takes too long. */
export const sending = (
  body: Body | StreamedBody | undefined,
  patience: number,
  late: (error: Error) => void,
): { readonly pieces?: AsyncIterable<Uint8Array>; readonly end: () => void } => {
  if (body && !('length' in body)) return watched(body, patience, late);
  const limit = patience + (body?.length ?? 0) / SLOWEST_LINE;
  const timer = setTimeout(() => late(new Error(`no answer within ${Math.round(limit / 1000)} s`)), limit);
  const end = (): void => clearTimeout(timer);
  return body === undefined || body.length === 0 ? { end } : { pieces: chunks(body), end };
};
