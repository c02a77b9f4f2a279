import { hash } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import type { Effects } from '../core/effects.ts';
import { receiveError, sendError } from '../core/sent-error.ts';
import { BLOCK_BYTES, DIGEST_BYTES } from '../disk/block-list.ts';
import { reopenDisk } from '../disk/open-disk.ts';
import { AdaptiveLimit } from './adaptive-limit.ts';
import { type AskKeys, type AwsKeys, AwsSession } from './aws-session.ts';
import { changedDisk } from './changed-disk.ts';
import { EbsError } from './ebs-failure.ts';
import { EbsSender } from './ebs-request.ts';
import { persist } from './persist.ts';
import type { FromUploadThread, ToUploadThread, UploadTask } from './upload-task.ts';

type UploadEffects = Pick<Effects, 'fetch' | 'clock'>;

/** Sends blocks of disks as the other side of `port` asks for it, which also has the keys. */
export function serveUpload(port: MessagePort, effects: UploadEffects): void {
  const tell = (message: FromUploadThread): void => port.postMessage(message);
  const waiting: { resolve(keys: AwsKeys): void; reject(error: Error): void }[] = [];
  let used: string | undefined;
  const ask: AskKeys = ({ forceRefresh = false } = {}) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      tell({ kind: 'ask-keys', instead: forceRefresh ? used : undefined });
    });
  port.on('message', (message: ToUploadThread) => {
    if (message.kind === 'keys') {
      used = message.keys.accessKeyId;
      return waiting.shift()?.resolve(message.keys);
    }
    if (message.kind === 'no-keys') return waiting.shift()?.reject(receiveError(message.error));
    const session = new AwsSession(ask, effects.clock);
    session.learnTime(message.task.time);
    sendTaken(message.task, session, effects, tell).then(
      () => tell({ kind: 'done' }),
      (error) =>
        tell({
          kind: 'failed',
          error: sendError(error),
          failure: error instanceof EbsError ? error.failure : undefined,
        }),
    );
  });
}

/** Sends blocks until all are taken, several at once as the service bears it. */
async function sendTaken(
  task: UploadTask,
  session: AwsSession,
  { fetch, clock }: UploadEffects,
  tell: (message: FromUploadThread) => void,
): Promise<void> {
  const { path, blocks, taken, endpoint, region, width, limits } = task;
  const disk = await reopenDisk(path);
  const sender = new EbsSender({ fetch, endpoint, region, session });
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
          unknown: Math.max(0, began + limits.unknown - clock.now()),
          onFailure: (failure, verdict) => {
            if (verdict === 'slower') limit.refused(ticket);
            if (verdict === 'compare' && memory) compare(memory, block, task);
            tell({ kind: 'refused', failure, width: limit.width });
          },
          onAttempt: () => {
            ticket = limit.begin(clock.now());
          },
        });
        limit.succeeded(ticket, clock.now());
        tell({ kind: 'sent', block });
      } catch (error) {
        // Nobody takes another one, on no thread.
        Atomics.store(taken, 0, blocks.length);
        throw error;
      } finally {
        limit.leave();
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(width.most, blocks.length) }, lane));
  } finally {
    await disk.close();
  }
}

/** Reads a block; what a disk's last one lacks is zeros, and its checksum then that of the whole. */
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
