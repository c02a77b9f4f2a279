// The command that says what is in a cache, where it is a registry's and where it is GitHub's.
import { execFileSync } from 'node:child_process';
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FolderStore } from '../../../../src/cache/folder-store.ts';
import { cacheInRegistry } from '../../../../src/cache/oci-place.ts';
import { OciStore } from '../../../../src/cache/oci-store.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { ENTRY_FILE } from '../../../../src/github/cache/transfer.ts';
import { parseReference } from '../../../../src/oci/reference.ts';
import { openForRemoval } from '../../../../src/storage/open.ts';
import { startEmulator } from '../../../emulators/registry/emulator.ts';
import type { ResultsEmulator } from '../../../emulators/results/emulator.ts';
import { runStep } from '../../../support/action.ts';
import { cliData } from '../../../support/cli.ts';
import { memoryLog } from '../../../support/memory-log.ts';
import { fillCache } from '../../../unit/cache/full-cache.ts';
import { testDeps } from '../../storage/kit.ts';
import { CLIENT_VERSION, newFolder, openGitHub, openResults } from './kit.ts';

const WORLD = { log: memoryLog(), clock: systemClock };

/** What `fillCache` has left, less what is counted in bytes. */
const IMAGES = [
  { image: null, system: 'x86_64-linux', paths: 1, seconds: 600 },
  { image: 'app', system: 'x86_64-linux', paths: 2, seconds: 180 },
  { image: 'app', system: 'aarch64-linux', paths: 1, seconds: 30 },
];

test('of a registry: what is in it by image and system, and nothing changes', async () => {
  const registry = await startEmulator();
  onTestFinished(() => registry.stop());
  const place = openForRemoval(parseReference(`${registry.host}/org/cache`), testDeps());
  const store = new OciStore(cacheInRegistry(place), WORLD);
  await fillCache(store, await newFolder());
  const before = await store.list();
  const data = await cliData(['cache-stats', `docker://${registry.host}/org/cache`]);
  expect(data).toMatchObject({ limit: 9e9, packs: 3, others: { entries: 0 }, gone: { packs: 0, paths: 0 } });
  expect(data).toMatchObject({ images: IMAGES, bytes: before?.reduce((sum, { bytes }) => sum + bytes, 0) });
  expect(await store.list()).toEqual(before);
});

/** Puts the entries of a folder into GitHub's cache, as its client packs them. */
async function plantAll(results: ResultsEmulator, cache: string): Promise<void> {
  const folder = await newFolder();
  for (const key of await readdir(cache)) {
    await copyFile(join(cache, key), join(folder, ENTRY_FILE));
    const tar = ['-c', '-C', folder, '--use-compress-program', 'zstd', ENTRY_FILE];
    plant(results, { key, version: CLIENT_VERSION, bytes: execFileSync('tar', tar) });
  }
}

function plant(results: ResultsEmulator, entry: { key: string; version: string; bytes: Buffer }): void {
  const reserved = results.caches.reserve('refs/heads/main', entry.key, entry.version);
  if (!reserved) throw new Error(`${entry.key} is taken`);
  results.blobs.putBlob(reserved.path, { bytes: entry.bytes, contentType: 'application/octet-stream' });
  results.caches.finalize(reserved, entry.bytes.length);
}

test("of GitHub's cache, as a step: with the entries of other tools and a pack that GitHub dropped", async () => {
  const results = await openResults();
  const github = await openGitHub(results, { permissions: { actions: 'read' } });
  const [folder, temp] = [await newFolder(), await newFolder()];
  await fillCache(new FolderStore(join(folder, 'cache'), undefined, WORLD), folder);
  await plantAll(results, join(folder, 'cache'));
  plant(results, { key: 'npm-1', version: 'f'.repeat(64), bytes: Buffer.alloc(70_000) });
  const whole = results.caches.all();
  const step = () =>
    runStep('cache-stats', {
      ...{ results, temp, job: { run: 7, job: 'stats' }, with: { token: github.token } },
      env: {
        ...{ GITHUB_ACTIONS: 'true', GITHUB_API_URL: github.url, GITHUB_REPOSITORY: 'org/app' },
        ...{ GITHUB_RUN_ID: '7', GITHUB_JOB: 'stats', GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/heads/main' },
        ...{ GITHUB_SHA: 'a'.repeat(40), GITHUB_REF_NAME: 'main', GITHUB_REF_TYPE: 'branch' },
      },
    });
  const { exitCode, log, outputs, summary } = await step();
  expect(exitCode, log).toBe(0);
  expect(outputs).toEqual({ paths: '4', bytes: String(whole.reduce((sum, { size = 0 }) => sum + size, 0)) });
  expect(summary).toContain('```mermaid');
  expect(summary).toContain('other tools');
  expect(results.caches.all()).toEqual(whole);
  const [lost] = whole.filter(({ key }) => key.includes('-pack-'));
  if (lost) results.caches.remove(lost.id);
  expect((await step()).summary).toMatch(/dropped 1 pack with \d paths? by itself/);
});
