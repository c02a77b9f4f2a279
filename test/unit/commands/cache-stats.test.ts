import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EMPTY_INDEX } from '../../../src/cache/cache-index.ts';
import { FolderStore } from '../../../src/cache/folder-store.ts';
import { cacheStats } from '../../../src/commands/cache-stats.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { runCli } from '../../support/cli.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { fillCache } from '../cache/full-cache.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-stats-'));
  const world = { log: memoryLog(), clock: systemClock };
  await fillCache(new FolderStore(at('cache'), undefined, world), folder);
});
afterEach(() => rm(folder, { recursive: true }));

test('a cache is shown by image and system, in 80 columns, what saves most first', async () => {
  const { stdout, exitCode, stderr } = await runCli(['cache-stats', at('cache'), '--limit', '1']);
  expect(exitCode, stderr).toBe(0);
  const lines = stdout.trim().split('\n');
  expect(lines.slice(1).filter((line) => !line.startsWith('the next merge') && line.length > 80)).toEqual([]);
  expect(stdout).toMatch(/\d+\.\d kB of 1\.0 MB \(5\d %\)/);
  expect(lines.slice(2, 6)).toEqual([
    expect.stringMatching(/^image +system +paths +size +builds saved$/),
    expect.stringMatching(/^several images +x86_64-linux +1 path +100\.\d kB +10 min 0 s$/),
    expect.stringMatching(/^app +x86_64-linux +2 paths +300\.\d kB +3 min 0 s$/),
    expect.stringMatching(/^app +aarch64-linux +1 path +100\.\d kB +30 s$/),
  ]);
  expect(stdout).toMatch(/^largest:\n {2}app +200\.\d kB +1 min 30 s$/m);
});

test('what the store has lost and what the next merge drops is told, and nothing changes', async () => {
  const packs = (await readdir(at('cache'))).filter((key) => key.includes('-pack-'));
  await rm(join(at('cache'), packs[0] ?? ''));
  const before = await readdir(at('cache'));
  const { stdout } = await runCli(['cache-stats', at('cache'), '--limit', '1', '--json']);
  const data = JSON.parse(stdout);
  expect(data).toMatchObject({ schemaVersion: 1, limit: 1_000_000, gone: { packs: 1 }, served: null });
  expect(data.gone.paths).toBeGreaterThan(0);
  expect((await runCli(['cache-stats', at('cache')])).stdout).toMatch(/has dropped 1 pack with \d paths? by itself$/m);
  expect(await readdir(at('cache'))).toEqual(before);
});

test('with the folder of a cache that is served, what it served is told', async () => {
  const counts = { hits: 5, misses: 3, paths: 4, bytes: 2e6, secondsSaved: 75, lost: 0, packs: 1, packsLost: 0 };
  await writeFile(
    at('statistics.json'),
    JSON.stringify({ schemaVersion: 1, ...counts, bytesFetched: 4e6, bytesInVain: 2e6 }),
  );
  const { stdout } = await runCli(['cache-stats', at('cache'), '--state', folder]);
  expect(stdout).toMatch(/^served 4 paths \(2\.0 MB\), 1 min 15 s of builds saved; 50 % of 4\.0 MB fetched in vain$/m);
  const { exitCode, stderr } = await runCli(['cache-stats', at('cache'), '--state', at('nowhere')]);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain('statistics.json');
});

test('a repository without anything, and the summary of a full one', async () => {
  const { stdout, exitCode } = await runCli(['cache-stats', 'oci:out'], { cwd: folder });
  expect(exitCode).toBe(0);
  expect(stdout).toContain('no store paths');
  const index = { ...EMPTY_INDEX, paths: [] };
  const plan = { limit: 9e9, before: 5e9, others: 5e9, otherEntries: 3, after: 5e9, kept: new Set<string>() };
  const none = { dropped: [], compacted: [], removed: [], admitted: [], refused: [] };
  const gone = { packs: 2, paths: 7 };
  const { summary } = cacheStats.present({
    store: "GitHub's cache",
    index,
    plan: { ...plan, ...none },
    gone,
    served: undefined,
  });
  expect(summary).toContain('```mermaid\n%%{init: ');
  expect(summary).toContain('"other tools" : 5000');
  expect(summary).toMatch(/dropped 2 packs with 7 paths/);
});
