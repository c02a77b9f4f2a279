import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256 } from '../../../support/bytes.ts';
import { newFolder, openResults, openStore, randomPack } from './kit.ts';

const MB = 1e6;

/** Proportional memory of a process and its descendants, in bytes (proc(5): smaps_rollup); 0 for one that is gone. */
const memoryOf = (pid: string): number => {
  try {
    const kilobytes = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kilobytes) * 1024 + childrenOf(pid).reduce((sum, child) => sum + memoryOf(child), 0);
  } catch {
    return 0;
  }
};

const childrenOf = (pid: string): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );

/** Runs `work`, and gives the most memory that the processes which move entries took meanwhile, all of them together. */
const peakOf = async (work: () => Promise<unknown>): Promise<number> => {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(
      most,
      childrenOf(String(process.pid)).reduce((sum, child) => sum + memoryOf(child), 0),
    );
  }, 10);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
};

// 64 MB go through tar, zstd, the client and back, four times; the limits of memory mean nothing for less.
test('packs of 64 MB take less than 200 MB of memory, tar and zstd included, several asked for at once too', async ({
  annotate,
}) => {
  // By this host the client knows Azure, and reads in ranges into one buffer: what takes it most memory.
  const results = await openResults({ caches: { blobOrigin: 'http://nixtest.blob.core.windows.net' } });
  const { store, said } = await openStore(results, { env: { HTTP_PROXY: results.url, NO_PROXY: '127.0.0.1' } });
  const folder = await newFolder();
  const { path, bytes } = await randomPack(folder, 64 * MB);
  const saving = await peakOf(() => Promise.all([store.save('a', path), store.save('b', path)]));
  const back = join(folder, 'back');
  store.prepare();
  const restoring = await peakOf(() => Promise.all([store.restore('a', back), store.restore('b', `${back}-2`)]));
  expect(said()).toEqual([]);
  expect(sha256(readFileSync(back))).toBe(sha256(bytes));
  // While the bytes of one come, the next one asks for its place and size, and waits.
  const asked = results.requests.map(({ route, path }) => (route === 'GetBlob' ? path : route));
  const blobs = asked.filter((route) => route.startsWith('/'));
  expect(blobs.length).toBeGreaterThan(20);
  expect(new Set(blobs.slice(0, blobs.length / 2)).size).toBe(1);
  expect(new Set(blobs.slice(blobs.length / 2)).size).toBe(1);
  expect(asked.lastIndexOf('HeadBlob')).toBeLessThan(asked.indexOf(blobs.at(-1) ?? ''));
  await annotate(`save ${Math.round(saving / MB)} MB, restore ${Math.round(restoring / MB)} MB`);
  expect(saving).toBeGreaterThan(40 * MB);
  expect(saving).toBeLessThan(200 * MB);
  expect(restoring).toBeGreaterThan(64 * MB);
  expect(restoring).toBeLessThan(200 * MB);
});
