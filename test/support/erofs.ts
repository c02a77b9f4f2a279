import { hash } from 'node:crypto';
import { lstat, mkdir, open, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Placing, placeTrees } from '../../src/erofs/place.ts';
import type { Positions } from '../../src/erofs/positions.ts';
import type { Identity } from '../../src/erofs/superblock.ts';
import { layOut, type StoreEntry } from '../../src/erofs/tree.ts';
import { writeErofs } from '../../src/erofs/write-erofs.ts';
import { runProgram } from './tools.ts';

export const IDENTITY: Identity = { uuid: '6b1c2f6e-0d6f-4e6a-9a3a-2f1d5c0b9e77', label: 'nix-store' };

export const { signal: NO_SIGNAL } = new AbortController();

/** A file system of entries in a new file, at a place in it. */
export async function erofsFile(
  image: string,
  entries: readonly StoreEntry[],
  { start = 0, ...placing }: Partial<Placing> & { readonly start?: number } = {},
): Promise<Positions> {
  const trees = await layOut(entries, { signal: NO_SIGNAL });
  const positions = placeTrees(trees, { limit: 1 << 24, ...placing });
  await using file = await open(image, 'wx+');
  await file.truncate(start + positions.blocks * 4096);
  await writeErofs({ file, path: image, start }, { trees, positions, identity: IDENTITY }, { signal: NO_SIGNAL });
  return positions;
}

/** Entries of a folder that stands for the store. */
export const entriesIn = async (store: string): Promise<StoreEntry[]> =>
  (await readdir(store)).map((name) => ({ name, from: join(store, name) }));

/** What fsck.erofs has against a file system. A wrong checksum of the superblock alone is told on stderr with exit code 0. */
export async function fsckErofs(image: string, words: readonly string[] = []): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('fsck.erofs', [...words, image]);
  return exitCode === 0 && stderr === '' ? '' : `exit code ${exitCode}: ${stderr}${stdout}`;
}

/** Unpacks a file system into a new folder; the answer is that of `fsckErofs`. */
export async function unpackErofs(image: string, into: string): Promise<string> {
  await mkdir(into);
  return fsckErofs(image, [`--extract=${into}`, '--overwrite', '--preserve-perms', '--no-preserve-owner']);
}

/**
 * All below a path, by name: types, who may execute, contents, targets. With `isStore` modes and times must be those of a
 * store, and others show. Names are latin1.
 */
export async function treeListing(path: string, { isStore = false } = {}): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (place: Buffer, name: string): Promise<void> => {
    const stats = await lstat(place);
    const isProgram = (stats.mode & 0o100) !== 0;
    const mode = stats.isSymbolicLink() ? 0o777 : isProgram ? 0o555 : 0o444;
    const isWrong = isStore && name !== '' && ((stats.mode & 0o7777) !== mode || stats.mtimeMs !== 1000);
    const wrong = isWrong ? ` but mode ${(stats.mode & 0o7777).toString(8)}, time ${stats.mtimeMs}` : '';
    if (stats.isSymbolicLink()) {
      found[name] = `link ${(await readlink(place, 'buffer')).toString('latin1')}${wrong}`;
    } else if (stats.isDirectory()) {
      found[name] = `folder${wrong}`;
      for (const child of await readdir(place, { encoding: 'buffer' })) {
        await visit(Buffer.concat([place, Buffer.from('/'), child]), `${name}/${child.toString('latin1')}`);
      }
    } else {
      found[name] = `${isProgram ? 'program' : 'file'} ${hash('sha256', await readFile(place))}${wrong}`;
    }
  };
  await visit(Buffer.from(path), '');
  return found;
}
