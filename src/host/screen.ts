import { truncate } from '../core/table.ts';
import type { Mask } from './mask.ts';

/** The part of a stream that a screen uses; `process.stderr` is one. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Standard error as a person sees it: lines that stay, and below them live ones. */
interface Screen {
  line(text: string): void;
  live(lines: readonly string[]): void;
  clearLive(): void;
}

/** Columns of a terminal that does not tell its width. */
export const DEFAULT_WIDTH = 80;

/** Rows of a terminal that does not tell its height. */
const DEFAULT_HEIGHT = 24;

// ECMA-48: carriage return, then erase to the end of the line; cursor up.
const ERASE = '\r\u001b[K';
const UP = '\u001b[A';

/** A screen on `stream`. Everything goes through `mask`; without a terminal there are no live lines. */
export function createScreen(stream: TextStream, mask: Mask): Screen {
  let shown = 0;
  /** From the last live line up to the first, and what comes instead of them in the same write, so that nothing flickers. */
  const erase = (): string => {
    const text = shown > 0 ? ERASE + `${UP}${ERASE}`.repeat(shown - 1) : '';
    shown = 0;
    return text;
  };
  return {
    line: (text) => stream.write(`${erase()}${mask.apply(text)}\n`),
    live: (lines) => {
      if (stream.isTTY !== true) return;
      // Masked before it is cut, or the rest of a cut secret would be shown. One column stays free: a full line wraps. One row stays free: what
      // scrolls out of sight cannot be erased.
      const { columns = DEFAULT_WIDTH, rows = DEFAULT_HEIGHT } = stream;
      const cut = lines
        .slice(0, Math.max(1, rows - 1))
        .map((text) => truncate(mask.apply(text).replaceAll('\n', ' '), columns - 1));
      const before = shown === 0 ? ERASE : erase();
      stream.write(before + cut.join('\n'));
      shown = cut.length;
    },
    clearLive: () => {
      const text = erase();
      if (text !== '') stream.write(text);
    },
  };
}
