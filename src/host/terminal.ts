import type { Log } from '../core/log.ts';
import { plainLine, plainText } from '../core/printable.ts';
import { NO_SPAN } from '../core/span.ts';
import { type Failure, labelled, renderFailure } from './failure.ts';
import type { Mask } from './mask.ts';
import { createProgressBoard, LIVE, SPARSE } from './progress.ts';
import { createScreen, type TextStream } from './screen.ts';

interface TerminalOptions {
  /** Standard error: everything but results. */
  readonly stderr: TextStream;
  readonly mask: Mask;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly colour: boolean;
  /** Shows debug lines too. */
  readonly verbose: boolean;
  /** Whether lines may be rewritten. Default: on a terminal. */
  readonly live?: boolean;
}

export interface Terminal {
  readonly log: Log;
  showFailure(failure: Failure): void;
  /** Takes the live lines away. */
  close(): void;
}

// ECMA-48 select graphic rendition.
const STYLE = { bold: '1', dim: '2', red: '31', yellow: '33', cyan: '36' } as const;

const createPaint = (colour: boolean) => (style: keyof typeof STYLE, text: string) =>
  colour ? `\u001b[${STYLE[style]}m${text}\u001b[0m` : text;

/** Whether to colour: on a terminal, unless NO_COLOR is set and not empty (no-color.org) or TERM is `dumb`. */
export const wantsColour = (stream: TextStream, env: (name: string) => string | undefined): boolean =>
  stream.isTTY === true && env('NO_COLOR') === undefined && env('TERM') !== 'dumb';

const LABEL = { error: 'red', bug: 'red', hint: 'cyan', cause: 'dim', warning: 'yellow' } as const;

/** The log of the command line. */
export function createTerminal({ stderr, mask, now, colour, verbose, ...options }: TerminalOptions): Terminal {
  const paint = createPaint(colour);
  const screen = createScreen(stderr, mask);
  const live = options.live ?? stderr.isTTY === true;
  const timing = live ? LIVE : SPARSE;
  const show = (lines: readonly string[]): void => (live ? screen.live(lines) : screen.line(lines.join(' · ')));
  const view = {
    show: (lines: readonly string[]) => show(lines.map(plainLine)),
    clear: screen.clearLive,
    print: (text: string) => screen.line(plainText(text)),
  };
  const board = createProgressBoard(view, { now, ...timing });
  // Masked before it is painted: a secret must not be cut in two by a colour.
  const painted = (style: keyof typeof STYLE, text: string) => screen.line(paint(style, mask.apply(text)));
  const withLabel = (line: string) => {
    const label = Object.keys(LABEL).find((word) => line.startsWith(`${word}: `)) as keyof typeof LABEL | undefined;
    return label === undefined ? line : `${paint(LABEL[label], `${label}:`)}${line.slice(label.length + 1)}`;
  };
  return {
    log: {
      debug: (text) => {
        if (verbose) painted('dim', plainText(text));
      },
      info: (text) => screen.line(plainText(text)),
      warn: (text) => {
        for (const line of labelled('warning', mask.apply(plainText(text)))) screen.line(withLabel(line));
      },
      group: async (heading, work) => {
        painted('bold', plainLine(heading));
        return await work();
      },
      progress: (label, total) => board.start(label, total),
      span: () => NO_SPAN,
      mask: (value, from) => (from === 'server' ? mask.addChosen(value) : mask.add(value)),
    },
    showFailure: (failure) => {
      for (const line of renderFailure(failure)) screen.line(withLabel(line));
    },
    close: screen.clearLive,
  };
}
