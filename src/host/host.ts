import type { Exec } from '../core/exec.ts';
import type { Log } from '../core/log.ts';
import type { ArtifactClient } from '../github/artifact-client.ts';

/** How a command meets the world. A command passes parts of it on; domain code never sees the whole. */
export interface Host {
  readonly kind: 'terminal' | 'runner';
  readonly log: Log;
  readonly exec: Exec;
  /** Fires on Ctrl-C and when the job is cancelled. */
  readonly signal: AbortSignal;
  /** An environment variable; undefined when it is not set or empty. */
  readonly env: (name: string) => string | undefined;
  /** Absolute. */
  readonly cwd: string;
  readonly fetch: typeof globalThis.fetch;
  /** This program, for threads of it. */
  readonly program: URL;
  /** A new empty folder of its own, only readable by this user; removed when the command has ended. */
  tempDir(): Promise<string>;
  /** The client of the run's artifacts; loaded when it is called, for few commands need it. */
  loadArtifactClient(): Promise<ArtifactClient>;
}
