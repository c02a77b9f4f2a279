import type { Effects } from '../core/effects.ts';
import type { ArtifactClient } from '../github/artifact-client.ts';
import type { Attach } from './attach.ts';

/** How a command meets the world. A command passes parts of it on; domain code never sees the whole. */
export interface Host extends Pick<Effects, 'log' | 'exec' | 'signal' | 'fetch'> {
  readonly kind: 'terminal' | 'runner';
  /** An environment variable; undefined when it is not set or empty. */
  readonly env: (name: string) => string | undefined;
  /** Absolute. */
  readonly cwd: string;
  /** This program, for threads of it. */
  readonly program: URL;
  /** Undefined on a runner, where nobody sits. */
  readonly attach?: Attach;
  /** A new empty folder of its own, only readable by this user; removed when the command has ended. */
  tempDir(): Promise<string>;
  /** The client of the run's artifacts; loaded when it is called, for few commands need it. */
  loadArtifactClient(): Promise<ArtifactClient>;
}
