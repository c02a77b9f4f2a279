import type { Span, SpanStart } from './span.ts';

/** A piece of long work that reports how far it is; `total` and `done` are bytes. */
export interface Progress {
  /** Sets what is done so far. Cheap: the implementation decides how often to show it. */
  update(done: number, detail?: string): void;
  /** Begins a part of it, such as one layer, which is shown while it lasts where there is room. */
  part(label: string, total?: number): ProgressPart;
  /** Ends the work; `text` replaces the live line, with the time that it took. */
  end(text?: string): void;
}

/** A part of a piece of work, with bytes of its own. */
export interface ProgressPart {
  /** Sets what is done of it so far. */
  update(done: number): void;
  end(): void;
}

/** Where domain code writes what a person may want to read. Implementations live in `host/`. */
export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  /** Runs `work` under a foldable heading. */
  group<T>(heading: string, work: () => Promise<T>): Promise<T>;
  progress(label: string, total?: number): Progress;
  /** Begins a piece of work whose time is taken; costs nothing where nobody asked for times. */
  span(start: SpanStart): Span;
  /**
   * Hides `value` in everything that is written from now on. Call it before the first use of a secret. A token that a
   * server chose is hidden in logs and errors only, and when it is long enough to be one.
   */
  mask(value: string, from?: 'server'): void;
}

/** A log whose lines begin with a name, for one of several pieces of work that write at the same time. Headings stay as they are. */
export const prefixed = (log: Log, name: string): Log => ({
  ...log,
  debug: (text) => log.debug(`${name}: ${text}`),
  info: (text) => log.info(`${name}: ${text}`),
  warn: (text) => log.warn(`${name}: ${text}`),
  progress: (label, total) => {
    const progress = log.progress(`${name}: ${label}`, total);
    return { ...progress, end: (text) => progress.end(text === undefined ? undefined : `${name}: ${text}`) };
  },
  span: (start) => log.span({ ...start, facts: { image: name, ...start.facts } }),
});
