import { stat } from 'node:fs/promises';
import { withFileErrors } from '../core/file-error.ts';

/** Whether a path is a folder. Throws UserError `file` where there is nothing, or it may not be looked at. */
export const isFolder = (path: string): Promise<boolean> =>
  withFileErrors(path, 'read', async () => (await stat(path)).isDirectory());
