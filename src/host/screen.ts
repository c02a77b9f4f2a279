import { truncate } from '../core/table.ts';
import type { Mask } from './mask.ts';

/** The part of a stream that a screen uses; `process.stderr` is one. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Standard error as a person sees it: lines that stay, and below them at most one live line. */
interface Screen {
  line(text: string): void;
  live(text: string): void;
  clearLive(): void;
}

/** Columns of a terminal that does not tell its width. */
export const DEFAULT_WIDTH = 80;

// ECMA-48: carriage return, then erase to the end of the line.
const ERASE = '\r\u001b[K';

/** A screen on `stream`. Everything goes through `mask`; without a terminal there is no live line. */
export function createScreen(stream: TextStream, mask: Mask): Screen {
  let shown = false;
  const clearLive = () => {
    if (shown) stream.write(ERASE);
    shown = false;
  };
  return {
    line: (text) => {
      clearLive();
      stream.write(`${mask.apply(text)}\n`);
    },
    live: (text) => {
      if (stream.isTTY !== true) return;
      // Masked before it is cut, or the rest of a cut secret would be shown. One column stays free: a full line wraps.
      const line = truncate(mask.apply(text).replaceAll('\n', ' '), (stream.columns ?? DEFAULT_WIDTH) - 1);
      stream.write(`${ERASE}${line}`);
      shown = true;
    },
    clearLive,
  };
}
