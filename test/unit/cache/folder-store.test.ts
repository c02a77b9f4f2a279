import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderStore } from '../../../src/cache/folder-store.ts';
import { restoreIndex, storeIndex } from '../../../src/cache/index-store.ts';
import { indexKey, jobPrefix, partKey } from '../../../src/cache/keys.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { sampleIndex, samplePackKey } from './sample.ts';

let folder = '';
let log = memoryLog();
let store: FolderStore;
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-folder-'));
  log = memoryLog();
  store = new FolderStore(at('cache'), undefined, { log, clock: systemClock });
  await writeFile(at('file'), 'content');
});
afterEach(() => rm(folder, { recursive: true }));

test('what is saved is found by key and by the beginning of it, the newest first', async () => {
  expect(await store.restoreNewest('a', at('out'))).toBeUndefined();
  expect(await store.save('a-1', at('file'))).toEqual({ kind: 'saved' });
  await utimes(at('cache/a-1'), new Date(1000), new Date(1000));
  await writeFile(at('file'), 'newer');
  expect(await store.save('a-0', at('file'))).toEqual({ kind: 'saved' });
  expect(await store.restoreNewest('a-', at('out'))).toBe('a-0');
  expect(await readFile(at('out'), 'utf8')).toBe('newer');
  expect(await store.restore('a-1', at('out'))).toBe(true);
  expect(await readFile(at('out'), 'utf8')).toBe('content');
  expect(await store.restore('a-', at('out'))).toBe(false);
});

test('an entry never changes', async () => {
  await store.save('a', at('file'));
  await writeFile(at('file'), 'other');
  expect(await store.save('a', at('file'))).toEqual({ kind: 'exists' });
  expect(await readFile(at('cache/a'), 'utf8')).toBe('content');
});

test('use is counted by reading and by touching, and creation stays', async () => {
  await store.save('a', at('file'));
  await utimes(at('cache/a'), new Date(5000), new Date(5000));
  expect(await store.list()).toEqual([{ id: 'a', key: 'a', bytes: 7, created: 5000, used: 5000 }]);
  expect(await store.touch('a')).toBe(true);
  const [touched] = await store.list();
  expect(touched?.created).toBe(5000);
  expect(touched?.used).toBeGreaterThan(Date.now() - 60_000);
  expect(await store.touch('b')).toBe(false);
});

test('entries are removed once', async () => {
  await store.save('a', at('file'));
  const [entry] = await store.list();
  if (!entry) throw new Error('nothing is listed');
  expect(await store.remove(entry)).toEqual({ kind: 'removed' });
  expect(await store.remove(entry)).toEqual({ kind: 'gone' });
});

test('a folder that cannot be written to is a failed save, and leaves nothing', async () => {
  await writeFile(at('cache'), 'not a folder');
  expect(await store.save('a', at('file'))).toMatchObject({ kind: 'failed', why: expect.stringContaining('EEXIST') });
  expect(await readdir(folder)).toHaveLength(2);
  expect(await store.list()).toEqual([]);
  expect(await store.restore('a', at('out'))).toBe(false);
  await chmod(folder, 0o700);
});

test('a key is one file name', async () => {
  await expect(store.save('../a', at('file'))).rejects.toThrow(TypeError);
});

const ONE = { run: '7', attempt: 1, system: 'x86_64-linux', job: 'app' };

test('the merged index, and parts by key or by job, are joined; the store of what is asked for is told when it lost one', async () => {
  const world = { store, log, folder };
  expect((await restoreIndex(world)).keys).toEqual([]);
  await storeIndex(world, indexKey(ONE), sampleIndex({ one: { bash: {} } }));
  await storeIndex(world, partKey(ONE), sampleIndex({ two: { app: {} } }));
  const restored = await restoreIndex(world, { prefixes: [jobPrefix(ONE)], keys: [partKey({ ...ONE, attempt: 2 })] });
  expect(restored.keys).toEqual([indexKey(ONE), partKey(ONE)]);
  expect(restored.index.packs.map(({ key }) => key)).toEqual([samplePackKey('one'), samplePackKey('two')]);
  expect(log.lines).toEqual([
    `the cache lost what a job stored: nix-images-v1-part-7-x86_64_linux-app-2 of folder ${at('cache')} is gone`,
  ]);
  expect(await readdir(folder)).toEqual(['cache', 'file']);
});

test('a damaged index counts as nothing, one of a newer version keeps this one from writing', async () => {
  const world = { store, log, folder };
  await store.save(indexKey(ONE), at('file'));
  expect(await restoreIndex(world)).toMatchObject({ keys: [], isOurs: true });
  expect(log.lines).toEqual([expect.stringMatching(/^the cache's index nix-images-v1-index-7-1 of .* is not used: /)]);
});
