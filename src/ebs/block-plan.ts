import { hash } from 'node:crypto';
import { BLOCK_BYTES, type BlockList, DIGEST_BYTES } from '../disk/block-list.ts';

/** Which blocks of a disk a snapshot needs. */
export interface BlockPlan {
  /** Numbers of the blocks to send, ascending. */
  readonly send: Uint32Array<SharedArrayBuffer>;
  /** Blocks of zeros that need not be sent, since a block that is not there reads as zeros. */
  readonly skippedZero: number;
  /** Blocks that the parent has as they are. */
  readonly skippedEqual: number;
}

interface PlanOptions {
  /** Blocks of the snapshot's parent, where it has one. */
  readonly parent?: BlockList | undefined;
  /** Whether the snapshot is encrypted: what is not there reads as random bytes then (awslabs/coldsnap 395). */
  readonly isEncrypted: boolean;
}

const ZERO_DIGEST = hash('sha256', Buffer.alloc(BLOCK_BYTES), 'buffer');

/** Whether a block is 512 KiB of zeros. A last block that is shorter never counts as one. */
export const isZeroBlock = ({ digests }: BlockList, block: number): boolean =>
  ZERO_DIGEST.compare(digests, block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES) === 0;

/**
 * Plans what is sent of a disk. Over a parent every block is sent that differs, those that became zeros as zeros; without one, blocks of
 * zeros are left out unless the snapshot is encrypted. Blocks behind the parent's end count as different.
 */
export function planBlocks(list: BlockList, { parent, isEncrypted }: PlanOptions): BlockPlan {
  const count = list.digests.length / DIGEST_BYTES;
  const send = new Uint32Array(new SharedArrayBuffer(4 * count));
  const own = Buffer.from(list.digests.buffer, list.digests.byteOffset, list.digests.length);
  let [length, skippedZero, skippedEqual] = [0, 0, 0];
  for (let block = 0; block < count; block += 1) {
    const [start, end] = [block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES];
    if (parent !== undefined && end <= parent.digests.length) {
      if (own.compare(parent.digests, start, end, start, end) === 0) {
        skippedEqual += 1;
        continue;
      }
    } else if (parent === undefined && !isEncrypted && isZeroBlock(list, block)) {
      skippedZero += 1;
      continue;
    }
    send[length] = block;
    length += 1;
  }
  return { send: send.subarray(0, length), skippedZero, skippedEqual };
}

/**
 * What CompleteSnapshot compares by its method LINEAR: SHA-256 over the checksums of the blocks that were written, as bytes, in the order of
 * their numbers ("Use EBS direct APIs checksums to validate snapshot data"). `checksums` has 32 bytes for each block of the disk.
 */
export function linearChecksum(checksums: Uint8Array, blocks: Uint32Array): string {
  const written = Buffer.alloc(blocks.length * DIGEST_BYTES);
  for (const [at, block] of blocks.entries()) {
    written.set(checksums.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES), at * DIGEST_BYTES);
  }
  return hash('sha256', written, 'base64');
}
