import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newFolder, openResults, openStore, randomPack } from './kit.ts';

const KEY = 'nix-images-v1-pack-abc-1';

test('what is saved is restored, by its key and by the beginning of it', async () => {
  const results = await openResults();
  const { store, log, temp } = await openStore(results);
  const folder = await newFolder();
  const pack = await randomPack(folder, 100_000);
  expect(await store.save(KEY, pack.path)).toEqual({ kind: 'saved' });
  const back = join(folder, 'back');
  expect(await store.restore(KEY, back)).toBe(true);
  expect((await readFile(back)).equals(pack.bytes)).toBe(true);
  expect(await store.restoreNewest('nix-images-v1-pack-', join(folder, 'newest'))).toBe(KEY);
  expect(await readdir(temp)).toEqual([]);
  expect(log.lines.filter((line) => line.startsWith('cannot'))).toEqual([]);
});
