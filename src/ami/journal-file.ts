import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { withFileErrors } from '../core/file-error.ts';
import type { Clock } from '../core/retry.ts';
import { DeployJournal } from './journal.ts';

/** A journal in a file. */
interface JournalFile {
  /** Undefined where it is kept in memory alone. */
  readonly path: string | undefined;
  readonly journal: DeployJournal;
  close(): Promise<void>;
}

/**
 * Opens a new journal. Every line is in the file when `write` has ended, so that a process that is killed loses none. Throws UserError `file` where there
 * is a file of that name: a journal is of one run.
 */
export async function openDeployJournal(
  file: string | undefined,
  cwd: string,
  clock: Pick<Clock, 'now'>,
): Promise<JournalFile> {
  const now = (): number => clock.now();
  if (file === undefined)
    return { path: undefined, journal: new DeployJournal(async () => {}, now), close: async () => {} };
  const path = resolve(cwd, file);
  const handle = await withFileErrors(path, 'write', () => open(path, 'ax'));
  const store = (line: string): Promise<void> => withFileErrors(path, 'write', () => handle.appendFile(line));
  return { path, journal: new DeployJournal(store, now), close: () => handle.close() };
}

/** `20261129T083000Z`, for names of files. */
export const timeName = (now: number): string => new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
