import { createHash } from 'node:crypto';
import { type Digest, endDigest } from '../oci/digest.ts';

/** Bytes of a block: what EBS's direct interface takes, and no other size. */
export const BLOCK_BYTES = 524_288;

/** Bytes of a SHA-256. */
export const DIGEST_BYTES = 32;

/** What is on a disk, block by block. */
export interface BlockList {
  /** Bytes of the disk; its last block may be shorter than the others. */
  readonly size: number;
  /**
   * SHA-256 of each block, 32 bytes a block, in order. Blocks of zeros have the digest of zeros, whether they are holes or not; a last
   * block that is shorter has that of its own bytes.
   */
  readonly digests: Uint8Array;
}

/**
 * What tells one disk from another: SHA-256 over the blocks' digests in order, then the size as 8 bytes, big-endian. One over all
 * bytes could not be computed in parallel, and would cost as much for holes as for data.
 */
export function diskIdentity({ size, digests }: BlockList): Digest {
  const end = Buffer.alloc(8);
  end.writeBigUInt64BE(BigInt(size));
  return endDigest(createHash('sha256').update(digests).update(end));
}

/** Blocks of a disk of `size` bytes. */
export const blockCount = (size: number): number => Math.ceil(size / BLOCK_BYTES);
