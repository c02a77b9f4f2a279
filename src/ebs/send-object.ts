import { hash } from 'node:crypto';
import { partBytes } from '../aws/object-parts.ts';
import type { ObjectPart, ObjectUpload, S3Api } from '../aws/s3-api.ts';
import { mapParallel } from '../core/parallel.ts';
import { BLOCK_BYTES, DIGEST_BYTES } from '../disk/block-list.ts';
import type { Disk } from '../disk/disk.ts';
import { reopenDisk } from '../disk/open-disk.ts';
import { isZeroBlock } from './block-plan.ts';
import { changedDisk } from './changed-disk.ts';
import type { SnapshotSource } from './send-snapshot.ts';

/** Parts under way, which is all the memory that an upload takes. */
const WIDTH = 4;

type Sender = Pick<S3Api, 'sendPart'>;

/**
 * Sends a disk as one raw object, zeros included, in parts. Each block is compared with its digest when it is read. Throws UserError `file` where the
 * disk has changed since it was hashed, and what S3 refuses.
 */
export async function sendParts(
  s3: Sender,
  upload: ObjectUpload,
  source: SnapshotSource,
  onSent: (bytes: number) => void,
): Promise<ObjectPart[]> {
  const { path, size } = source;
  const length = partBytes(size, BLOCK_BYTES);
  const disk = await reopenDisk(path);
  const free: Buffer[] = [];
  let sent = 0;
  try {
    return await mapParallel(
      Array.from({ length: Math.ceil(size / length) }, (_, at) => at),
      WIDTH,
      async (at) => {
        const memory = free.pop() ?? Buffer.allocUnsafeSlow(length);
        const bytes = memory.subarray(0, Math.min(length, size - at * length));
        await readPart(disk, source, bytes, at * length);
        const part = await s3.sendPart(upload, at + 1, bytes);
        free.push(memory);
        sent += bytes.length;
        onSent(sent);
        return part;
      },
    );
  } finally {
    await disk.close();
  }
}

async function readPart(
  disk: Pick<Disk, 'read'>,
  { path, blocks }: SnapshotSource,
  into: Buffer,
  position: number,
): Promise<void> {
  for (let at = 0; at < into.length; at += BLOCK_BYTES) {
    const block = (position + at) / BLOCK_BYTES;
    const bytes = into.subarray(at, at + BLOCK_BYTES);
    // A shorter last block never counts as one of zeros.
    if (isZeroBlock(blocks, block)) {
      bytes.fill(0);
      continue;
    }
    await disk.read(bytes, position + at);
    const expected = blocks.digests.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES);
    if (!hash('sha256', bytes, 'buffer').equals(expected)) throw changedDisk(path, block);
  }
}
