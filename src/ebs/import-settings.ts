import type { ImportFaces } from '../aws/open-imports.ts';
import type { Effects } from '../core/effects.ts';

/** What uploads by way of S3 need of the world. */
export interface ImportSettings extends Pick<Effects, 'log' | 'clock' | 'signal'> {
  readonly region: string;
  /** A bucket of the account in that region, which holds the disk while it is imported. */
  readonly bucket: string;
  /** AWS, until `signal` fires: what cleans up a run that was stopped must not be stopped itself. */
  open(signal: AbortSignal): Promise<ImportFaces>;
  /** Role that EC2 reads the bucket by. Default: `vmimport`. */
  readonly role?: string | undefined;
  /** Milliseconds that AWS may take to import a disk. Default: three hours. */
  readonly importTime?: number | undefined;
}

/** What an import makes. */
export interface ImportOptions {
  /** What stands for the snapshot: who asks with the same words goes on with what another run has begun. */
  readonly key: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Key to encrypt with. Default: what the account says. */
  readonly kmsKey?: string | undefined;
}
