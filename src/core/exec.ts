export interface ExecOptions {
  readonly cwd?: string;
  /** Added to what the program sees of this process's environment (docs/environment.md). */
  readonly env?: Readonly<Record<string, string>>;
  /** For programs that a stranger wrote: of this process's environment they see PATH, TMPDIR, language and time zone. */
  readonly isolated?: boolean;
  /**
   * Written to standard input, which is closed afterwards. Without it standard input is empty. Of blocks, the next is asked
   * for once the one before is written, so a block may be used again from then on.
   */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /**
   * Reads standard output as it comes; the child waits for it, and `ExecResult.stdout` is empty. When it throws, the
   * child is ended and the call throws the same; what it leaves unread is dropped.
   */
  readonly onStdout?: (stdout: AsyncIterable<Uint8Array>) => Promise<void>;
  /** Called for each line of standard error as it comes, without its line end. */
  readonly onStderrLine?: (line: string) => void;
  /** Ends the child (SIGINT, then SIGKILL) when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Runs the child although this run is being stopped: it takes back what the run left outside. Only `signal` ends it. */
  readonly cleanup?: boolean;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** The last 256 KiB of standard error. */
  readonly stderr: string;
}

/**
 * Runs a program with an argument vector, never through a shell. A non-zero exit is a result, not an exception.
 * Throws UserError `file` when the program cannot be started or ends well without having read all blocks, `cancelled` when
 * the signal fired, and whatever `input` and `onStdout` throw.
 */
export type Exec = (program: string, args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;
