import type { SentError } from '../core/sent-error.ts';

/** Hashing a disk's blocks, which all threads of it take from one list; memory is shared. */
export interface HashTask {
  readonly path: string;
  /** Bytes of the disk. */
  readonly size: number;
  /** Numbers of the blocks that are to be read. */
  readonly blocks: Uint32Array<SharedArrayBuffer>;
  /** One number: how many of them are taken. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  /** Where digests go: 32 bytes for each block of the disk. */
  readonly digests: Uint8Array<SharedArrayBuffer>;
}

/** What a disk's thread answers. */
export type DiskAnswer = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: SentError };

/** What `workerData` is on a disk's thread. */
export const DISK_THREAD = 'disk';
