import type { TextStream } from './screen.ts';

/** Standard output: its `write` says when the reader has taken the text. */
interface ResultStream {
  write(text: string, done: () => void): unknown;
  readonly columns?: number;
}

/** The process as both faces see it, so that tests can put another in its place. */
export interface World {
  /** The words after the program's name. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** All of the environment, for child processes. */
  readonly environment: NodeJS.ProcessEnv;
  /** One variable; undefined when it is not set or empty. */
  readonly env: (name: string) => string | undefined;
  readonly stdout: ResultStream;
  readonly stderr: TextStream;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly fetch: typeof globalThis.fetch;
  /** This program, for threads of it. */
  readonly program: URL;
  readonly signal: AbortSignal;
}
