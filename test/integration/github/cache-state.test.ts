import { expect, test } from 'vitest';
import { BlobStore } from '../../emulators/results/blob-store.ts';
import { CacheState, type CacheStateOptions } from '../../emulators/results/cache-state.ts';

// The emulator's own rules, which the tests of the cache lean on.

const HOUR = 60 * 60 * 1000;
const MAIN = 'refs/heads/main';

const scene = (options: Partial<CacheStateOptions> = {}) => {
  let time = 0;
  const caches = new CacheState({ blobs: new BlobStore(), now: () => time, ...options });
  const add = (key: string, size: number, ref = MAIN): string => {
    const entry = caches.reserve(ref, key, 'v');
    if (!entry) throw new Error(`${key} is taken`);
    caches.finalize(entry, size);
    return entry.path;
  };
  const at = (hours: number): void => {
    time = hours * HOUR;
  };
  return { caches, add, at, keys: () => caches.all().map(({ key }) => key) };
};

test('above the limit the least recently used goes, at the next full hour and not before', () => {
  const { caches, add, at, keys } = scene({ limitBytes: 100 });
  const first = add('a', 60);
  at(0.1);
  add('b', 60);
  at(0.2);
  caches.onRead(first);
  expect(keys()).toEqual(['b', 'a']);
  at(1);
  expect(keys()).toEqual(['a']);
  expect(caches.evicted).toEqual(['b']);
});

test('what nobody read for seven days goes, wherever it is', () => {
  const { add, at, keys } = scene();
  add('a', 1);
  add('b', 1, 'refs/heads/other');
  at(7 * 24 - 0.5);
  expect(keys().length).toBe(2);
  at(7 * 24 + 1);
  expect(keys()).toEqual([]);
});

test('a reservation that never ends blocks its key for a day', () => {
  const { caches, at } = scene();
  expect(caches.reserve(MAIN, 'a', 'v')).toBeDefined();
  at(23);
  expect(caches.reserve(MAIN, 'a', 'v')).toBeUndefined();
  expect(caches.reserve('refs/heads/other', 'a', 'v')).toBeDefined();
  at(25);
  expect(caches.reserve(MAIN, 'a', 'v')).toBeDefined();
});

test('a lookup takes the own ref first, the key before what begins with it, the newest of those, and its own version alone', () => {
  const { caches, add, at } = scene();
  add('key', 1);
  at(0.1);
  add('key-2', 1);
  at(0.2);
  add('key-1', 1);
  add('key-0', 1, 'refs/pull/7/merge');
  const look = (refs: readonly string[], ...keys: string[]) => caches.lookUp(refs, 'v', keys)?.key;
  expect(look([MAIN], 'key')).toBe('key');
  expect(look([MAIN], 'key-')).toBe('key-1');
  expect(look(['refs/pull/7/merge', MAIN], 'key')).toBe('key-0');
  expect(look([MAIN], 'none', 'also-none', 'key-')).toBe('key-1');
  expect(caches.lookUp([MAIN], 'w', ['key'])).toBeUndefined();
});
