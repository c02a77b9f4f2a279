/** A machine that runs an image. */
export interface Instance {
  readonly id: string;
  readonly owner: string;
  readonly imageId: string;
  readonly type: string;
  readonly architecture: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly clientToken: string | undefined;
  readonly startedAt: number;
  readonly runsFrom: number;
  /** When its console can be read. */
  readonly consoleFrom: number;
  /** Until then it may not be known yet. */
  readonly knownFrom: number;
  terminatedAt: number | undefined;
}
