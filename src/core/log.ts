/** A piece of long work that reports how far it is; `total` and `done` are bytes. */
export interface Progress {
  /** Sets what is done so far. Cheap: the implementation decides how often to show it. */
  update(done: number, detail?: string): void;
  /** Ends the work; `text` replaces the live line, with the time that it took. */
  end(text?: string): void;
}

/** Where domain code writes what a person may want to read. Implementations live in `host/`. */
export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  /** Runs `work` under a foldable heading. */
  group<T>(heading: string, work: () => Promise<T>): Promise<T>;
  progress(label: string, total?: number): Progress;
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
});
