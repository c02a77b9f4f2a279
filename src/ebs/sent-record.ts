import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, withFileErrors } from '../core/file-error.ts';

/** Which blocks a snapshot has that is not complete yet, so that they are not sent again. */
export interface SentRecord {
  /** Blocks that were sent before. */
  readonly before: ReadonlySet<number>;
  add(block: number): void;
  /** Everything that was added is in the file. */
  close(): Promise<void>;
  /** Removes it: the snapshot is complete, or gone. */
  remove(): Promise<void>;
}

/** Without a folder nothing outlives the run. */
export const noRecord: SentRecord = {
  before: new Set(),
  add: () => undefined,
  close: async () => undefined,
  remove: async () => undefined,
};

const NUMBER = 4;

/**
 * A record in a file of `folder`, which must exist: four bytes, little-endian, for each block, so that a run that is killed loses none. A number that
 * was cut off is left out; what is wrong in it is found by the checksum over all blocks when the snapshot is completed. Throws UserError `file`.
 */
export function openRecord(folder: string, region: string, snapshotId: string): Promise<SentRecord> {
  const path = join(folder, `${region}-${snapshotId}.sent`);
  return withFileErrors(path, 'write', async () => {
    const bytes = await readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return Buffer.alloc(0);
      throw error;
    });
    const whole = bytes.length - (bytes.length % NUMBER);
    const file = await open(path, 'a');
    await file.truncate(whole);
    let writing: Promise<unknown> = Promise.resolve();
    return {
      before: new Set(Array.from({ length: whole / NUMBER }, (_, at) => bytes.readUInt32LE(at * NUMBER))),
      add(block) {
        const number = Buffer.alloc(NUMBER);
        number.writeUInt32LE(block);
        // One after the other; a failure shows when it is closed.
        writing = writing.then(() => file.write(number));
        writing.catch(() => undefined);
      },
      close: () =>
        withFileErrors(path, 'write', async () => {
          try {
            await writing;
          } finally {
            await file.close();
          }
        }),
      remove: () => rm(path, { force: true }),
    };
  });
}
