import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startGitHub } from '../emulators/github/emulator.ts';
import { pullRoutes } from '../emulators/github/pulls.ts';
import { startEmulator } from '../emulators/registry/emulator.ts';
import { putRelease } from '../integration/promote/kit.ts';
import { open } from '../integration/storage/bench.ts';
import { releaseTree } from '../support/release.ts';
import { ROOT } from '../support/root.ts';
import { CONSUMER, jobOf, runWorkflow } from './harness/act.ts';
import { createLibrary } from './harness/library.ts';

// An assembly takes seconds; beside other tests, many.
vi.setConfig({ testTimeout: 300_000 });

const EXAMPLES = ['promote', 'rollback', 'retention'] as const;

test('the examples promote edge to stable by hand, roll it back, and remove by a policy; act knows no environments', async () => {
  const [release, emulator, github] = await Promise.all([
    releaseTree(),
    startEmulator({ referrersPerPage: 9 }),
    startGitHub({
      repository: CONSUMER,
      permissions: { 'pull-requests': 'read' },
      routes: pullRoutes([2, 26].map((number) => ({ number, state: number === 2 ? 'closed' : 'open' }))),
    }),
  ]);
  try {
    const [owner, own] = ['repository_owner', 'repository'].map((name) => `ghcr.io/${'$'}{{ github.${name} }}`);
    const texts = EXAMPLES.map(async (name) => {
      const text = await readFile(join(ROOT, `examples/workflows/${name}.yml`), 'utf8');
      return [
        name,
        text.replaceAll(`${owner}`, `${emulator.host}/org`).replace(`${own}`, `${emulator.host}/org/app`),
      ] as const;
    });
    const workflows = new Map(await Promise.all(texts));
    await using library = await createLibrary(release.path, [...workflows.values()]);
    const repository = open(`${emulator.host}/org/app`);
    const first = await putRelease(repository, 1, 'stable');
    const second = await putRelease(repository, 2, 'edge');
    const run = async (id: number, name: (typeof EXAMPLES)[number], inputs?: object) => {
      const workflow = `.github/workflows/${name}.yml`;
      const all = await runWorkflow({
        ...{ library, workflow, files: { [workflow]: workflows.get(name) ?? '' } },
        ...(inputs === undefined
          ? { event: 'schedule', payload: { schedule: '17 3 * * *' } }
          : { event: 'workflow_dispatch', payload: { inputs } }),
        env: { GITHUB_RUN_ID: String(id), GITHUB_API_URL: github.url },
        secrets: { GITHUB_TOKEN: github.token },
      });
      const job = jobOf(all, name === 'retention' ? 'prune' : name);
      expect(job.result, all.log).toBe('success');
      return job;
    };
    const stable = () => emulator.store.manifest('org/app', 'stable')?.bytes;
    await run(11, 'promote', { channel: 'stable' });
    expect(stable()).toEqual(second.bytes);
    await run(12, 'rollback', { channel: 'stable' });
    expect(stable()).toEqual(first.bytes);

    await putRelease(repository, 3, 'pr-2');
    await putRelease(repository, 4, 'pr-26');
    const tags = () => [...emulator.store.tags('org/app').keys()].filter((tag) => !tag.startsWith('sha256-')).sort();
    const tried = await run(13, 'retention', { 'dry-run': 'true' });
    expect(tried.summary).toMatch(/Dry run: would remove 1 manifest and 1 tag[\s\S]*pull request 2 is closed/);
    expect(tags()).toEqual(['edge', 'pr-2', 'pr-26', 'stable']);
    await run(14, 'retention');
    expect(tags()).toEqual(['edge', 'pr-26', 'stable']);
  } finally {
    await Promise.all([release.remove(), emulator.stop(), github.stop()]);
  }
});
