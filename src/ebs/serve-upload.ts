import type { MessagePort } from 'node:worker_threads';
import type { Effects } from '../core/effects.ts';
import { receiveError, sendError } from '../core/sent-error.ts';
import { type AskKeys, type AwsKeys, AwsSession } from './aws-session.ts';
import { EbsError } from './ebs-failure.ts';
import { sendTaken } from './send-taken.ts';
import type { FromUploadThread, ToUploadThread, UploadWatcher } from './upload-task.ts';

/** Sends blocks of disks as the other side of `port` asks for it, which also has the keys. */
export function serveUpload(port: MessagePort, effects: Pick<Effects, 'fetch' | 'clock'>): void {
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
    const watcher: UploadWatcher = {
      sent: (block) => tell({ kind: 'sent', block }),
      refused: (failure, width) => tell({ kind: 'refused', failure, width }),
    };
    sendTaken(message.task, { ...effects, session, watcher }).then(
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
