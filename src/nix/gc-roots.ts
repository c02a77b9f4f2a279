import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs `work` with a folder for links that keep store paths from being collected, and removes it afterwards.
 * Nix forgets the roots by itself once the links are gone. What is killed leaves them, so `parent` is a folder that goes with the
 * job where there is one. Default: the system's own.
 */
export async function withGcRoots<T>(work: (gcRootDir: string) => Promise<T>, parent = tmpdir()): Promise<T> {
  const dir = await mkdtemp(join(parent, 'nix-images-roots-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
