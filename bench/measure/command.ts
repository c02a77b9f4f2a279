/** A program with its arguments; never a shell. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends it, with all that it has started, when it fires. */
  readonly signal?: AbortSignal;
}
