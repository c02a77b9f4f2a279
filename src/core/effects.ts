import type { Exec } from './exec.ts';
import type { Log } from './log.ts';
import type { Clock } from './retry.ts';

/** Everything by which code acts beyond its own memory. Each part of the program picks what it uses; `host/` makes them. */
export interface Effects {
  readonly exec: Exec;
  readonly fetch: typeof globalThis.fetch;
  readonly log: Log;
  readonly clock: Clock;
  /** Fires on Ctrl-C, and when the job is cancelled. */
  readonly signal: AbortSignal;
  /** An empty folder, only readable by this user, which is removed when the command has ended. */
  readonly tempDir: string;
}
