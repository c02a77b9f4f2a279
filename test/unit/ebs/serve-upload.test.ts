import { hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../../src/disk/block-list.ts';
import { EBS_LIMITS } from '../../../src/ebs/persist.ts';
import { serveUpload } from '../../../src/ebs/serve-upload.ts';
import type { FromUploadThread, UploadTask } from '../../../src/ebs/upload-task.ts';
import { uniqueTempDir } from '../../support/tools.ts';

/** A MessagePort that a thread has: what it sends comes out of the other end. */
async function sendBlocks(task: UploadTask, fetch: typeof globalThis.fetch, now: () => number): Promise<void> {
  const { port1: thread, port2: own } = new MessageChannel();
  const clock = { now, random: () => 0, sleep: async () => {} };
  serveUpload(thread, { fetch, clock });
  try {
    await new Promise<void>((resolve, reject) => {
      own.on('message', (message: FromUploadThread) => {
        if (message.kind === 'ask-keys')
          own.postMessage({ kind: 'keys', keys: { accessKeyId: 'AKIA', secretAccessKey: 'secret' } });
        if (message.kind === 'failed') reject(new Error(message.error.message));
        if (message.kind === 'done') resolve();
      });
      own.postMessage({ kind: 'send', task });
    });
  } finally {
    own.close();
    thread.close();
  }
}

test("blocks are signed with the service's time, whatever the clocks of the run and of the thread say", async () => {
  await using temp = await uniqueTempDir('serve-upload');
  const path = join(temp.path, 'disk.raw');
  const bytes = Buffer.alloc(BLOCK_BYTES, 7);
  await writeFile(path, bytes);
  const signed: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = async (_url, init) => {
    signed.push(new Headers(init?.headers).get('x-amz-date'));
    return new Response('', { status: 201 });
  };
  const shared = (length: number): SharedArrayBuffer => new SharedArrayBuffer(length);
  const checksums = new Uint8Array(shared(32));
  checksums.set(hash('sha256', bytes, 'buffer'));
  const task: UploadTask = {
    ...{ path, size: BLOCK_BYTES, snapshotId: 'snap-1', endpoint: 'http://127.0.0.1:9', region: 'eu-central-1' },
    ...{ time: Date.UTC(2030, 0, 2, 3, 4, 5), blocks: new Uint32Array(shared(4)), taken: new Int32Array(shared(4)) },
    ...{ checksums, width: { start: 1, most: 1 }, limits: EBS_LIMITS },
  };
  await sendBlocks(task, fetch, () => 1000);
  expect(signed).toEqual(['20300102T030405Z']);
});
