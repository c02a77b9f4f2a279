import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nixConfig } from '../scripts/setup/nix-config.mjs';
import { unmountBelow } from '../test/support/mounts.ts';
import { assembleRelease } from './release.ts';

/** What names of folders for one run begin with. */
export const SCRATCH = 'scratch-';

/** What runs that were broken off have left. Two at once would spoil each other's figures, so none of it is in use. */
async function removeScratch(work: string): Promise<void> {
  for (const name of await readdir(work)) {
    if (name.startsWith(SCRATCH)) await removeMounted(join(work, name));
  }
}

/** Removes a folder in which a store of containers/storage may be: its driver mounts its own folder, and leaves it so. */
export async function removeMounted(folder: string): Promise<void> {
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true });
}

/** The folder of a benchmark, without what earlier runs have left in it. */
export async function openWork(work: string): Promise<void> {
  await mkdir(work, { recursive: true });
  await removeScratch(work);
}

/** What benchmarks of a release begin with; gives the environment for Nix. */
export async function beginWithRelease(work: string, log: (line: string) => void): Promise<{ NIX_CONFIG: string }> {
  await openWork(work);
  log('assembling a release of the working folder');
  await assembleRelease();
  return { NIX_CONFIG: nixConfig() };
}
