import { hash } from 'node:crypto';
import { BLOCK_BYTES, type BlockList, blockCount, DIGEST_BYTES } from './block-list.ts';
import type { Disk } from './disk.ts';
import type { DiskThreads } from './disk-threads.ts';
import { type Extent, extentEnd } from './extent.ts';

/** Numbers of the blocks that extents touch, ascending. */
function touchedBlocks(extents: readonly Extent[], count: number): Uint32Array<SharedArrayBuffer> {
  const blocks = new Uint32Array(new SharedArrayBuffer(4 * count));
  let length = 0;
  let next = 0;
  for (const extent of extents) {
    const end = Math.ceil(extentEnd(extent) / BLOCK_BYTES);
    for (next = Math.max(next, Math.floor(extent.offset / BLOCK_BYTES)); next < end; next += 1) {
      blocks[length] = next;
      length += 1;
    }
  }
  return blocks.subarray(0, length);
}

const zeroDigest = (bytes: number): Buffer => hash('sha256', Buffer.alloc(bytes), 'buffer');

/**
 * SHA-256 of every block of a disk. Only blocks with data are read, each by the thread that is free; the result is the same for any
 * number of threads. Throws UserError `file` where the disk is damaged or cannot be read.
 */
export async function hashBlocks(disk: Disk, threads: Pick<DiskThreads, 'hash'>): Promise<BlockList> {
  const { path, size, extents } = disk;
  const count = blockCount(size);
  const digests = new Uint8Array(new SharedArrayBuffer(count * DIGEST_BYTES));
  const zero = zeroDigest(Math.min(BLOCK_BYTES, size));
  for (let block = 0; block < count; block += 1) digests.set(zero, block * DIGEST_BYTES);
  const last = size % BLOCK_BYTES;
  if (last !== 0) digests.set(zeroDigest(last), (count - 1) * DIGEST_BYTES);
  const blocks = touchedBlocks(extents, count);
  await threads.hash({ path, size, blocks, taken: new Int32Array(new SharedArrayBuffer(4)), digests });
  return { size, digests };
}
