/** One flag as a shell completes it. */
export interface CompletedFlag {
  /** `--to` */
  readonly name: string;
  /** One letter, without its dash. */
  readonly short: string | undefined;
  /** Its first sentence. */
  readonly description: string;
  /** What its value is; undefined where it takes none. */
  readonly value:
    | { readonly placeholder: string; readonly kind: 'choice' | 'file' | 'text'; readonly choices: readonly string[] }
    | undefined;
  readonly repeatable: boolean;
}

/** One command as a shell completes it. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
}
