import type { SentError } from '../core/sent-error.ts';
import type { AwsKeys } from './aws-session.ts';
import type { EbsFailure } from './ebs-failure.ts';
import type { EbsLimits } from './persist.ts';

/** Sending a disk's blocks, which all threads take from one list; memory is shared. */
export interface UploadTask {
  readonly path: string;
  /** Bytes of the disk. */
  readonly size: number;
  readonly snapshotId: string;
  readonly endpoint: string;
  readonly region: string;
  /** What time it is at the service when this is sent, in milliseconds since 1970: threads have the machine's clock, and the run may have another. */
  readonly time: number;
  /** Numbers of the blocks that are to be sent. */
  readonly blocks: Uint32Array<SharedArrayBuffer>;
  /** One number: how many of them are taken. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  /** SHA-256 of every block, 32 bytes each, as they were when the disk was hashed. A shorter last one gets that of the block it is filled to. */
  readonly checksums: Uint8Array<SharedArrayBuffer>;
  /** Requests under way on one thread, at first and at most. */
  readonly width: { readonly start: number; readonly most: number };
  readonly limits: EbsLimits;
}

/** Hears what becomes of blocks. */
export interface UploadWatcher {
  sent(block: number): void;
  /** A request that is tried again; `width`: how many its thread has under way from now on. */
  refused(failure: EbsFailure, width: number): void;
}

/** What an upload's thread is told. */
export type ToUploadThread =
  | { readonly kind: 'send'; readonly task: UploadTask }
  | { readonly kind: 'keys'; readonly keys: AwsKeys }
  | { readonly kind: 'no-keys'; readonly error: SentError };

/** What it answers. */
export type FromUploadThread =
  | { readonly kind: 'sent'; readonly block: number }
  /** `instead`: the access key that is not taken any more. */
  | { readonly kind: 'ask-keys'; readonly instead: string | undefined }
  /** Something that is tried again; for the log. */
  | { readonly kind: 'refused'; readonly failure: EbsFailure; readonly width: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: SentError; readonly failure?: EbsFailure | undefined };

/** What `workerData` is on an upload's thread. */
export const UPLOAD_THREAD = 'upload';
