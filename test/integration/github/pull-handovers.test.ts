import { expect, onTestFinished, test } from 'vitest';
import { removePullHandovers } from '../../../src/github/rest/pull-handovers.ts';
import { startGitHub } from '../../emulators/github/emulator.ts';
import type { Permissions } from '../../emulators/github/permissions.ts';
import { type Pull, pullRoutes } from '../../emulators/github/pulls.ts';
import { runRoutes, type StoredRun } from '../../emulators/github/runs.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { plainFetch } from './cache/kit.ts';

const HANDOVER = 'handover-app-x86_64-linux-1.tar';

const runOf = (id: number, more: Partial<StoredRun> = {}): StoredRun => ({
  ...{ id, event: 'pull_request', branch: 'change', status: 'completed', headRepository: 'org/app' },
  artifacts: new Map([
    [id * 10, HANDOVER],
    [id * 10 + 1, 'coverage'],
  ]),
  ...more,
});

const remove = async (runs: StoredRun[], permissions: Permissions, pulls: readonly Pull[] = []) => {
  const github = await startGitHub({ routes: [...runRoutes(runs), ...pullRoutes(pulls)], permissions });
  onTestFinished(() => github.stop());
  const log = memoryLog();
  const { signal } = new AbortController();
  const { url, token } = github;
  const deps = { url, token, repository: 'org/app', fetch: plainFetch, log, signal, second: 10 };
  return { removed: await removePullHandovers(deps, 'change'), log };
};

const WRITE: Permissions = { actions: 'write', 'pull-requests': 'read' };

test('deletes the handovers of the ended runs of that branch, and nothing else', async () => {
  const others = [
    runOf(2, { status: 'in_progress' }),
    runOf(3, { headRepository: 'stranger/app' }),
    runOf(4, { branch: 'other' }),
    runOf(5, { event: 'push' }),
  ];
  const first = runOf(1);
  expect((await remove([first, ...others], WRITE)).removed).toBe(1);
  expect([...first.artifacts.values()]).toEqual(['coverage']);
  for (const { artifacts } of others) expect([...artifacts.values()]).toEqual([HANDOVER, 'coverage']);
});

test('those of a branch of which a pull request is open stay', async () => {
  const first = runOf(1);
  expect((await remove([first], WRITE, [{ number: 9, state: 'open' }])).removed).toBe(0);
  expect(first.artifacts.size).toBe(2);
});

test('without the permission they expire, and the log says the line to add', async () => {
  const { removed, log } = await remove([runOf(1)], { actions: 'read', 'pull-requests': 'read' });
  expect(removed).toBe(0);
  expect(log.lines).toContain(
    'handovers of change stay until they expire: the job needs `permissions: actions: write`',
  );
});
