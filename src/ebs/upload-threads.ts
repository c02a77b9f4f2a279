import { Worker } from 'node:worker_threads';
import type { Effects } from '../core/effects.ts';
import { receiveError, sendError } from '../core/sent-error.ts';
import { SMALL_HEAP } from '../disk/disk-threads.ts';
import type { AwsKeys, AwsSession } from './aws-session.ts';
import { EbsError } from './ebs-failure.ts';
import { sendTaken } from './send-taken.ts';
import {
  type FromUploadThread,
  type ToUploadThread,
  UPLOAD_THREAD,
  type UploadTask,
  type UploadWatcher,
} from './upload-task.ts';

/** Blocks that are sent while a thread would start: 16 MiB. */
const FEW = 32;

/** Threads that send blocks; few blocks are sent by this one, with these effects. */
interface UploadThreads extends Pick<Effects, 'fetch' | 'clock' | 'signal'> {
  /** This program: its own file must call `serveUpload` on a thread whose `workerData` is `UPLOAD_THREAD`. */
  readonly program: URL;
  /** Threads at most. */
  readonly width: number;
  readonly session: AwsSession;
}

/**
 * Sends the blocks of a task, by several threads of which each takes what the others have not, or without any where there are few. Rejects with the
 * first failure, when all have been ended, and with what the signal says.
 */
export async function sendBlocks(task: UploadTask, threads: UploadThreads, watcher: UploadWatcher): Promise<void> {
  const { program, width, session, signal } = threads;
  signal.throwIfAborted();
  if (task.blocks.length <= FEW) return await sendTaken(task, { ...threads, watcher });
  const count = Math.min(width, Math.ceil(task.blocks.length / FEW));
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const workers = Array.from(
    { length: count },
    () => new Worker(program, { workerData: UPLOAD_THREAD, resourceLimits: SMALL_HEAP }),
  );
  try {
    const work = Promise.all(workers.map((worker) => sendBy(worker, task, session, watcher)));
    await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    // At once, whatever they are doing: where one may not write, none may.
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function sendBy(worker: Worker, task: UploadTask, session: AwsSession, watcher: UploadWatcher): Promise<void> {
  return new Promise((resolve, reject) => {
    const post = (message: ToUploadThread): void => worker.postMessage(message);
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`an upload's thread ended with code ${code}`)));
    worker.on('message', (message: FromUploadThread) => {
      if (message.kind === 'sent') watcher.sent(message.block);
      else if (message.kind === 'refused') watcher.refused(message.failure, message.width);
      else if (message.kind === 'done') resolve();
      else if (message.kind === 'failed') reject(failureOf(message));
      else {
        keysFor(session, message.instead).then(
          (keys) => post({ kind: 'keys', keys }),
          (error) => post({ kind: 'no-keys', error: sendError(error) }),
        );
      }
    });
    post({ kind: 'send', task });
  });
}

const failureOf = ({ error, failure }: FromUploadThread & { kind: 'failed' }): Error =>
  failure === undefined ? receiveError(error) : new EbsError(failure, receiveError(error));

/** Threads want others in place of the same keys at about the same time: what one of them got, the rest get too. */
async function keysFor(session: AwsSession, instead: string | undefined): Promise<AwsKeys> {
  const keys = await session.keys();
  return keys.accessKeyId === instead ? session.renew(keys) : keys;
}
