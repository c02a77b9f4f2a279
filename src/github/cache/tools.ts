import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Env } from '../runtime.ts';

/** Whether a program of this name is on PATH. */
async function isOnPath(env: Env, program: string): Promise<boolean> {
  for (const folder of (env('PATH') ?? '').split(delimiter)) {
    if (folder === '') continue;
    const isThere = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

/**
 * What @actions/cache runs: without tar it does nothing. Without zstd it packs with gzip, and sees no entry that was packed
 * otherwise, for the kind of packing is part of what an entry is asked for by.
 */
export async function missingTools(env: Env): Promise<{ readonly tar: boolean; readonly zstd: boolean }> {
  return { tar: !(await isOnPath(env, 'tar')), zstd: !(await isOnPath(env, 'zstd')) };
}
