export interface InstanceFate {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly code: string;
  readonly message: string;
}

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
  /** Why it ends by itself, and when. */
  readonly fate: InstanceFate | undefined;
}
