import { hash } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { fileError } from '../core/file-error.ts';
import { sendError } from '../core/sent-error.ts';
import { BLOCK_BYTES, DIGEST_BYTES } from './block-list.ts';
import type { Disk } from './disk.ts';
import { truncated } from './disk-file.ts';
import type { DiskAnswer, HashTask } from './disk-task.ts';
import { reopenDisk } from './open-disk.ts';

/** Blocks that are taken at once: what a disk's read-ahead and the counter's cost are spread over. */
const TAKEN_AT_ONCE = 8;

const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Works on disks as the other side of `port` asks for it. */
export function serveDisk(port: MessagePort): void {
  const answer = (message: DiskAnswer): void => port.postMessage(message);
  port.on('message', (task: HashTask) => {
    hashTaken(task).then(
      () => answer({ kind: 'done' }),
      (error) => answer({ kind: 'failed', error: sendError(error) }),
    );
  });
}

/** Takes blocks until there are none left. */
async function hashTaken({ path, size, blocks, taken, digests }: HashTask): Promise<void> {
  const disk = await reopenDisk(path);
  try {
    const memory = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    for (;;) {
      const first = Atomics.add(taken, 0, TAKEN_AT_ONCE);
      const mine = blocks.subarray(first, first + TAKEN_AT_ONCE);
      if (mine.length === 0) return;
      for (const block of mine) {
        const position = block * BLOCK_BYTES;
        const bytes = memory.subarray(0, Math.min(BLOCK_BYTES, size - position));
        if (disk.fd === undefined) await disk.read(bytes, position);
        else readNow(disk, disk.fd, bytes, position);
        // What is zero has its digest already.
        if (bytes.compare(ZEROS, 0, bytes.length) === 0) continue;
        digests.set(hash('sha256', bytes, 'buffer'), block * DIGEST_BYTES);
      }
    }
  } finally {
    await disk.close();
  }
}

/** This thread has nothing else to do, and waiting for another one to read takes longer than reading. */
function readNow(disk: Pick<Disk, 'path'>, fd: number, into: Uint8Array, position: number): void {
  try {
    for (let at = 0; at < into.length; ) {
      const count = readSync(fd, into, at, into.length - at, position + at);
      if (count === 0) throw truncated(disk.path, 'the disk', { offset: position, end: fstatSync(fd).size });
      at += count;
    }
  } catch (error) {
    throw fileError(error, disk.path, 'read');
  }
}
