const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interruption extends Disposable {
  /** Fires at the first of the signals. */
  readonly signal: AbortSignal;
}

/** Has this process tidy up when it is told to end, until it is disposed of. A second signal ends it at once. */
export function watchInterruption(): Interruption {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    forget();
    controller.abort(new Error(`interrupted by ${name}`));
  };
  const forget = (): void => {
    for (const name of SIGNALS) process.removeListener(name, stop);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return { signal: controller.signal, [Symbol.dispose]: forget };
}
