import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Temporary folders that live as long as one run. */
interface TempDirs {
  create(): Promise<string>;
  /** Removes them all; a folder that cannot be removed is left behind, since the run's result stands already. */
  remove(): Promise<void>;
}

export function createTempDirs(parent: string): TempDirs {
  const made: Promise<string>[] = [];
  return {
    create: () => {
      // mkdtemp gives mode 0700.
      const folder = mkdtemp(join(parent, 'nix-images-'));
      made.push(folder);
      return folder;
    },
    remove: async () => {
      // What was cancelled may have asked for one just before.
      const gone = made.splice(0).map(async (folder) => rm(await folder, { recursive: true, force: true }));
      await Promise.allSettled(gone);
    },
  };
}
