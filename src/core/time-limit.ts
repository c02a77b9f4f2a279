import { createContext, Script } from 'node:vm';

const RUN = new Script('work()');

/** What V8's watchdog throws (nodejs.org/api/vm.html, `timeout`). */
const TIMED_OUT = 'ERR_SCRIPT_EXECUTION_TIMEOUT';

/**
 * Runs blocking work and ends it after `limit` milliseconds, in the midst of a regular expression too; undefined then. For
 * patterns that strangers wrote: they may try more ways than there is time for, and while they do, nothing else runs, Ctrl-C
 * included. `work` must leave nothing half-done that counts. Throws what it throws.
 */
export function withinTime<T>(limit: number, work: () => T): { readonly value: T } | undefined {
  try {
    // The watchdog ends whatever this thread runs, so the work need not belong to the context.
    return { value: RUN.runInContext(createContext({ work }), { timeout: limit }) as T };
  } catch (error) {
    // It is an Error of the context, not of this program.
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === TIMED_OUT) return undefined;
    throw error;
  }
}
