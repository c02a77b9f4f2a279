/** A disk that is read from S3 into a snapshot. */
export interface ImportTask {
  readonly id: string;
  readonly owner: string;
  readonly description: string;
  readonly format: string;
  readonly bucket: string;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly snapshotId: string;
  readonly startedAt: number;
  readonly endsAt: number;
  /** Why it is to fail. */
  readonly failure: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  isCancelled: boolean;
}
