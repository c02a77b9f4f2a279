import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EMPTY_INDEX } from '../../../src/cache/cache-index.ts';
import { FolderStore } from '../../../src/cache/folder-store.ts';
import { saveCache } from '../../../src/cache/save.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { runCli } from '../../support/cli.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { Builds } from '../cache/house-fixture.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-merge-'));
  const log = memoryLog();
  const builds = new Builds();
  const built = [builds.build('lib', 700_000, { seconds: 5 }), builds.build('app', 400_000, { seconds: 90 })];
  await saveCache(
    { store: new FolderStore(at('cache'), undefined, { log, clock: systemClock }), log, folder, clock: systemClock },
    {
      attempt: { run: '1', attempt: 1, system: 'x86_64-linux', job: 'app' },
      rules: { ref: undefined, governs: true, deadRefs: new Set() },
      index: EMPTY_INDEX,
      built,
      needed: [{ system: 'x86_64-linux', image: 'app', paths: built.map(({ path }) => path) }],
      readNar: builds.readNar,
      packLimit: 400_000,
    },
  );
});
afterEach(() => rm(folder, { recursive: true }));

const kinds = async () => (await readdir(at('cache'))).map((key) => key.split('-')[3]).sort();

test('a plan is shown in 80 columns, and nothing changes', async () => {
  const { stdout, exitCode } = await runCli(['cache-merge', at('cache'), '--dry-run', '--limit', '1']);
  expect(exitCode).toBe(0);
  const lines = stdout.trim().split('\n');
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  expect(stdout).toMatch(/1\.1 MB of 1\.0 MB \(110 %\)/);
  expect(stdout).toMatch(/^keep +1 path +400\.\d kB +x86_64-linux, several images: 1 min 30 s of builds$/m);
  expect(stdout).toMatch(/^drop +1 path +700\.\d kB +others save more time a byte$/m);
  expect(await kinds()).toEqual(['pack', 'pack', 'pack', 'part']);
});

test('a merge carries the plan out, and the same once more does nothing', async () => {
  const { stdout } = await runCli(['cache-merge', at('cache'), '--limit', '1', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 1, merged: true, kept: 1, limit: 1_000_000 });
  expect(await kinds()).not.toContain('part');
  const again = await runCli(['cache-merge', at('cache'), '--limit', '1', '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ merged: false, kept: 1, dropped: [], removed: [] });
});

test('a repository is a cache too', async () => {
  const { stdout, exitCode } = await runCli(['cache-merge', 'oci:out', '--json'], { cwd: folder });
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ cache: `oci:${at('out')}`, merged: false, kept: 0 });
});
