import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Temporary folders that live as long as one run. */
interface TempDirs {
  /** Rejects once `remove` was called: nobody would remove that folder any more. */
  create(): Promise<string>;
  /** Removes them all; a folder that cannot be removed is left behind, since the run's result stands already. */
  remove(): Promise<void>;
}

export function createTempDirs(parent: string): TempDirs {
  const made: Promise<string>[] = [];
  let hasEnded = false;
  return {
    create: async () => {
      if (hasEnded) throw new Error('the run has ended: no more temporary folders');
      // mkdtemp gives mode 0700.
      const folder = mkdtemp(join(parent, 'nix-images-'));
      made.push(folder);
      return await folder;
    },
    remove: async () => {
      hasEnded = true;
      // What was cancelled may have asked for one just before.
      const gone = made.splice(0).map(async (folder) => rm(await folder, { recursive: true, force: true }));
      await Promise.allSettled(gone);
    },
  };
}
