import { availableParallelism } from 'node:os';

/** Threads in Node's pool where nothing else is said, and the most that are of use here. */
const USUAL = 4;
const MOST = 16;

/**
 * Gives the pool that all threads of this process share as many threads as there are cores, for blocks of large layers are compressed there. To be
 * called before anything uses the pool, which reads the variable then and never again. What the user says stays.
 */
export function widenThreadPool(): void {
  process.env.UV_THREADPOOL_SIZE ??= String(Math.min(Math.max(USUAL, availableParallelism()), MOST));
}
