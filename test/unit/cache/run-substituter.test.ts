import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSubstituter } from '../../../src/cache/substituter/run-substituter.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { fromMap, SECRET, sampleCache } from './served.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FOREVER = Number.POSITIVE_INFINITY;

const run = (limits: { readonly idle: number; readonly life: number }, signal = new AbortController().signal) => {
  const { index, packs } = sampleCache(1);
  const store = { name: 'a test', restore: fromMap(packs) };
  const onReady = async (): Promise<void> => undefined;
  const options = { index, store, folder, secret: SECRET, port: 0, limits, prefetch: 'asked', onReady } as const;
  return runSubstituter(options, { log: memoryLog(), signal });
};

// Limits are looked at once a second.
test.each<[string, { readonly idle: number; readonly life: number }]>([
  ['idle', { idle: 100, life: FOREVER }],
  ['old', { idle: FOREVER, life: 100 }],
])('ends by itself when it is %s, and leaves what it counted', async (why, limits) => {
  expect((await run(limits)).why).toBe(why);
  expect(await readdir(folder)).toEqual(['statistics.json', 'wanted']);
});

test('ends at once when it was stopped before it began', async () => {
  expect((await run({ idle: FOREVER, life: FOREVER }, AbortSignal.abort())).why).toBe('stopped');
});
