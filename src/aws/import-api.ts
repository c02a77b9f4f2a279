/** A disk that EC2 reads from S3. */
export interface ImportRecord {
  readonly id: string;
  /** `active`, `completed`, `deleting`, `deleted`; what failed or was cancelled is deleted. */
  readonly state: string;
  /** What it is doing, or why it failed. */
  readonly message: string | undefined;
  /** Percent. */
  readonly progress: string | undefined;
  /** Told once it is completed. */
  readonly snapshotId: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
}

/** What ImportSnapshot is given. */
interface ImportRequest {
  readonly clientToken: string;
  readonly bucket: string;
  readonly key: string;
  readonly description: string;
  /** Role that EC2 reads the bucket by. */
  readonly role: string;
  readonly kmsKey: string | undefined;
  /** Of the task alone: the snapshot gets none. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Imports of disks in one region. Everything throws AwsRefusal for what AWS refuses, and UserError for what did not get there. */
export interface ImportApi {
  importSnapshot(request: ImportRequest): Promise<ImportRecord>;
  /** The account's imports, or one of them. */
  imports(id?: string): Promise<readonly ImportRecord[]>;
  /** Ends one that is active. */
  cancelImport(id: string): Promise<void>;
}
