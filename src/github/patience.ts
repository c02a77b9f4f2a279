import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { isLostConnection } from './artifact-failure.ts';

/** Waits before a second and a third try. A service that does not come back within this time is down. */
const WAITS_MS = [1000, 5000];

/** What waiting for the client takes. */
export type Patience = Pick<Effects, 'log' | 'clock' | 'signal'>;

/**
 * Rejects with UserError `cancelled` as soon as the signal fires. The client knows no cancellation: what it has begun
 * goes on until the process ends.
 */
export function abortable<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const cancelled = (): UserError =>
    new UserError('cancelled', `cancelled: did not ${doing}`, {
      hint: 'A broken upload is not seen by others; it only keeps its name until the run is deleted.',
    });
  if (signal.aborted) return Promise.reject(cancelled());
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(cancelled());
    signal.addEventListener('abort', onAbort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Tries again when the connection was lost, which the client reports at once. It tries by itself, five times within
 * about half a minute, when it gets an answer 429, 500, 502, 503 or 504, or one that is not JSON.
 */
export async function patient<T>(
  doing: string,
  patience: Patience,
  work: () => Promise<T>,
  isWorthIt: (error: unknown) => boolean = isLostConnection,
): Promise<T> {
  const { log, signal, clock } = patience;
  for (const wait of WAITS_MS) {
    try {
      return await abortable(doing, signal, work);
    } catch (error) {
      if (!isWorthIt(error)) throw error;
      log.info(`cannot ${doing}: the connection failed; trying again in ${wait / 1000} s`);
      await abortable(doing, signal, () => clock.sleep(wait, signal));
    }
  }
  return abortable(doing, signal, work);
}
