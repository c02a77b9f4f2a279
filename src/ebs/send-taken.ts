import { hash } from 'node:crypto';
import type { Effects } from '../core/effects.ts';
import { BLOCK_BYTES, DIGEST_BYTES } from '../disk/block-list.ts';
import { reopenDisk } from '../disk/open-disk.ts';
import { AdaptiveLimit } from './adaptive-limit.ts';
import type { AwsSession } from './aws-session.ts';
import { changedDisk } from './changed-disk.ts';
import { EbsSender } from './ebs-request.ts';
import { persist } from './persist.ts';
import type { UploadTask, UploadWatcher } from './upload-task.ts';

/** What blocks are sent with, and who hears of it. */
interface Sending extends Pick<Effects, 'fetch' | 'clock'> {
  readonly session: AwsSession;
  readonly watcher: UploadWatcher;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends blocks until all are taken, several at once as the service bears it. Rejects with the first failure, or with what the signal says; no
 * request is under way then.
 */
export async function sendTaken(task: UploadTask, { fetch, clock, session, watcher, signal }: Sending): Promise<void> {
  const { path, blocks, taken, endpoint, region, width, limits } = task;
  const disk = await reopenDisk(path);
  const failed = new AbortController();
  const ended = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
  const sender = new EbsSender({ fetch, endpoint, region, session, signal: ended });
  const limit = new AdaptiveLimit(width.start, width.most);
  const began = clock.now();
  async function lane(): Promise<void> {
    let memory: Buffer<ArrayBuffer> | undefined;
    for (;;) {
      await limit.enter();
      try {
        const block = blocks[Atomics.add(taken, 0, 1)];
        if (block === undefined) return;
        memory ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
        await fillBlock(memory, block, task, (into, position) => disk.read(into, position));
        let ticket = limit.begin(clock.now());
        await persist(sender, putRequest(memory, block, task), {
          clock,
          limits,
          signal: ended,
          unknown: Math.max(0, began + limits.unknown - clock.now()),
          onFailure: (failure, verdict) => {
            if (verdict === 'slower') limit.refused(ticket);
            if (verdict === 'compare' && memory) compare(memory, block, task);
            watcher.refused(failure, limit.width);
          },
          onAttempt: () => {
            ticket = limit.begin(clock.now());
          },
        });
        limit.succeeded(ticket, clock.now());
        watcher.sent(block);
      } catch (error) {
        // Nobody takes another one, on no thread.
        Atomics.store(taken, 0, blocks.length);
        failed.abort(error);
        return;
      } finally {
        limit.leave();
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(width.most, blocks.length) }, lane));
    if (failed.signal.aborted) throw failed.signal.reason;
  } finally {
    await disk.close();
  }
}

/** Reads a block. The last one of a disk is filled up with zeros, and its checksum is then that of the whole block. */
async function fillBlock(
  memory: Buffer<ArrayBuffer>,
  block: number,
  task: UploadTask,
  read: (into: Uint8Array, position: number) => Promise<void>,
): Promise<void> {
  const position = block * BLOCK_BYTES;
  const length = Math.min(BLOCK_BYTES, task.size - position);
  await read(memory.subarray(0, length), position);
  if (length === BLOCK_BYTES) return;
  compare(memory.subarray(0, length), block, task);
  memory.fill(0, length);
  task.checksums.set(hash('sha256', memory, 'buffer'), block * DIGEST_BYTES);
}

const checksumOf = ({ checksums }: UploadTask, block: number): Uint8Array =>
  checksums.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES);

/** Throws UserError `file` where bytes are not those that were hashed. */
function compare(bytes: Uint8Array, block: number, task: UploadTask): void {
  if (hash('sha256', bytes, 'buffer').equals(checksumOf(task, block))) return;
  throw changedDisk(task.path, block);
}

function putRequest(memory: Buffer<ArrayBuffer>, block: number, task: UploadTask) {
  const { snapshotId, region } = task;
  return {
    step: { action: 'PutSnapshotBlock', region, what: `cannot send block ${block} of ${snapshotId}` },
    method: 'PUT',
    path: `/snapshots/${snapshotId}/blocks/${block}`,
    headers: {
      'content-type': 'application/octet-stream',
      'x-amz-data-length': String(BLOCK_BYTES),
      'x-amz-checksum': Buffer.from(checksumOf(task, block)).toString('base64'),
      'x-amz-checksum-algorithm': 'SHA256',
    },
    body: memory,
  } as const;
}
