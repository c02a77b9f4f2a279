import { expect, test } from 'vitest';
import { storeIndex } from '../../../../src/cache/index-store.ts';
import { keepAlive } from '../../../../src/cache/keep-alive.ts';
import { indexKey } from '../../../../src/cache/keys.ts';
import { cliData, runCli } from '../../../support/cli.ts';
import { sampleIndex } from '../../../unit/cache/sample.ts';
import { newFolder, openGitHub, openResults, openStore, randomPack } from './kit.ts';

const DAY = 24 * 60 * 60 * 1000;

const scene = async () => {
  let days = 0;
  const began = Date.now();
  const now = (): number => began + days * DAY;
  const results = await openResults({ now });
  const github = await openGitHub(results, { now, permissions: { actions: 'read' } });
  const { store, log, said } = await openStore(results, { github, now });
  const index = sampleIndex({ one: { a: {} }, two: { b: {} } });
  const folder = await newFolder();
  const { path } = await randomPack(folder, 200);
  for (const { key } of index.packs) await store.save(key, path);
  await storeIndex({ store, folder, log }, indexKey({ run: '7', attempt: 1 }), index);
  const clock = { now, sleep: async () => undefined, random: () => 0 };
  return {
    ...{ results, index, said },
    /** Runs it on a later day. */
    keepOn: async (day: number) => {
      days = day;
      return await keepAlive({ store, folder, log, clock });
    },
    keysOn: (day: number): string[] => {
      days = day;
      return results.caches.all().map(({ key }) => key);
    },
  };
};

// A dozen transfers, each a process.
test('it keeps the cache through three quiet weeks, though runs are left out', async () => {
  const { keepOn, keysOn, said } = await scene();
  expect(await keepOn(1)).toEqual({ packs: 2, touched: 0, recent: 2, gone: 0 });
  for (const day of [3, 9, 15]) expect(await keepOn(day)).toEqual({ packs: 2, touched: 2, recent: 0, gone: 0 });
  expect(keysOn(21.9).length).toBe(3);
  // Then nobody does it any more.
  expect(keysOn(22.1)).toEqual([]);
  expect(await keepOn(23)).toEqual({ packs: 0, touched: 0, recent: 0, gone: 0 });
  expect(said()).toEqual([]);
});

test('a pack that is gone is told', async () => {
  const { results, index, keepOn, said } = await scene();
  const [first] = index.packs;
  for (const { id, key } of results.caches.all()) if (key === first?.key) results.caches.remove(id);
  expect(await keepOn(3)).toEqual({ packs: 2, touched: 1, recent: 0, gone: 1 });
  expect(said()).toEqual([`packs that GitHub's cache no longer has: ${first?.key}`]);
});

test('the command does it for a folder, and in a job for what GitHub has', async () => {
  const { stdout, exitCode } = await runCli(['cache-keep', await newFolder()]);
  expect({ stdout, exitCode }).toEqual({ stdout: 'the cache is empty\n', exitCode: 0 });
  const { results } = await scene();
  const env = { ...results.environment({ run: 8, job: 'keep' }), GITHUB_ACTIONS: 'true' };
  const json = await cliData(['cache-keep'], { env });
  expect(json).toEqual({ schemaVersion: 1, packs: 2, touched: 2, recent: 0, gone: 0 });
});
