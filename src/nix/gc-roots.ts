import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs `work` with a folder for links that keep store paths from being collected, and removes it afterwards.
 * Nix forgets the roots by itself once the links are gone.
 */
export async function withGcRoots<T>(work: (gcRootDir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'nix-images-roots-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
