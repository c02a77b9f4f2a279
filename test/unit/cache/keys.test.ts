import { expect, test } from 'vitest';
import { packedSize } from '../../../src/cache/cache-index.ts';
import {
  indexKey,
  type JobAttempt,
  jobPrefix,
  kindOfKey,
  packKey,
  partKey,
  partsPrefix,
} from '../../../src/cache/keys.ts';

const attempt: JobAttempt = { run: '42', attempt: 3, system: 'x86_64-linux', job: 'my app, "odd"' };
const SHA256 = 'a'.repeat(64);

test('keys say what they hold', () => {
  const keys = [packKey(SHA256, attempt), indexKey(attempt), partKey(attempt)];
  expect(keys).toEqual([
    `nix-images-v1-pack-${SHA256}-42-x86_64_linux-my_app_odd_-3`,
    'nix-images-v1-index-42-3',
    'nix-images-v1-part-42-x86_64_linux-my_app_odd_-3',
  ]);
  expect(keys.map(kindOfKey)).toEqual(['pack', 'index', 'part']);
  expect(['node-modules', 'nix-images-v2-index-1-1', 'nix-images-v1-pack-short-1'].map(kindOfKey)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a job finds its part of an earlier attempt, and nobody finds another run', () => {
  expect(partKey(attempt).startsWith(jobPrefix(attempt))).toBe(true);
  expect(jobPrefix(attempt).startsWith(partsPrefix('42'))).toBe(true);
  expect(partKey({ ...attempt, run: '421' }).startsWith(partsPrefix('42'))).toBe(false);
});

test('the longest names fit into a key of 512 characters', () => {
  const long = { run: 'r'.repeat(500), attempt: 1, system: 's'.repeat(500), job: 'j'.repeat(500) };
  expect(packKey(SHA256, long).length).toBeLessThanOrEqual(512);
  expect(kindOfKey(packKey(SHA256, long))).toBe('pack');
});

test('a frame is as long as its pieces', () => {
  expect(
    packedSize({
      pieces: [
        { pack: 0, offset: 5, length: 7 },
        { pack: 1, offset: 0, length: 2 },
      ],
    }),
  ).toBe(9);
});
