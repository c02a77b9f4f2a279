import { copyFile, link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Copies a stopped registry's storage in milliseconds. Blobs are linked: the registry puts a new one in the place of an old
 * one and never writes into it. All else (which says what tags and repositories hold) it does overwrite, so that is copied.
 */
export async function copyStorage(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) await copyStorage(source, target);
    else if (entry.name === 'data') await link(source, target);
    else await copyFile(source, target);
  }
}
