#!/usr/bin/env node
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Exec } from './core/exec.ts';
import { DISK_THREAD } from './disk/disk-task.ts';
import { UPLOAD_THREAD } from './ebs/upload-task.ts';
import { ownProcess } from './host/own-process.ts';
import { keepHeapSmall } from './host/small-heap.ts';
import { widenThreadPool } from './host/thread-pool-size.ts';

// Threads of layers, disks and uploads and processes of our own are this program too: a release is one bundle with one entry.
if (isMainThread) {
  keepHeapSmall();
  widenThreadPool();
  const serve = ownProcess(process.argv);
  if (serve !== undefined) {
    await serve();
  } else {
    const [{ commands }, { start }] = await Promise.all([import('./commands/index.ts'), import('./host/start.ts')]);
    await start(commands, new URL(import.meta.url));
  }
} else if (parentPort && workerData === DISK_THREAD) {
  (await import('./disk/serve-disk.ts')).serveDisk(parentPort);
} else if (parentPort && workerData === UPLOAD_THREAD) {
  const [{ serveUpload }, { threadFetch }, { systemClock }] = await Promise.all([
    import('./ebs/serve-upload.ts'),
    import('./host/process-fetch.ts'),
    import('./core/clock.ts'),
  ]);
  serveUpload(parentPort, { fetch: threadFetch(), clock: systemClock });
} else if (parentPort) {
  const { signal } = new AbortController();
  // Only the codecs that are programs need it.
  const exec: Exec = async (...call) => (await import('./host/exec.ts')).execOfProcess(signal)(...call);
  (await import('./layer/serve-layers.ts')).serveLayers(parentPort, { exec, signal });
}
