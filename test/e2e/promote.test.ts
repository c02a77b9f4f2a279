import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startEmulator } from '../emulators/registry/emulator.ts';
import { putRelease } from '../integration/promote/kit.ts';
import { releaseTree } from '../integration/release/release.ts';
import { open } from '../integration/storage/bench.ts';
import { ROOT } from '../support/cli.ts';
import { jobOf, runWorkflow } from './harness/act.ts';
import { createLibrary } from './harness/library.ts';

// An assembly takes seconds; beside other tests, many.
vi.setConfig({ testTimeout: 300_000 });

test('the examples promote edge to stable by hand, and roll it back; act knows no environments', async () => {
  const [release, emulator] = [await releaseTree(), await startEmulator({ referrersPerPage: 9 })];
  try {
    const texts = await Promise.all(
      ['promote', 'rollback'].map((name) => readFile(join(ROOT, `examples/workflows/${name}.yml`), 'utf8')),
    );
    const owner = '$' + '{{ github.repository_owner }}';
    const [promote = '', rollback = ''] = texts.map((text) =>
      text.replaceAll(`ghcr.io/${owner}`, `${emulator.host}/org`),
    );
    await using library = await createLibrary(release.path, [promote, rollback]);
    const repository = open(`${emulator.host}/org/app`);
    const first = await putRelease(repository, 1, 'stable');
    const second = await putRelease(repository, 2, 'edge');
    const run = async (id: string, name: string, text: string) => {
      const all = await runWorkflow({
        library,
        files: { [`.github/workflows/${name}.yml`]: text },
        workflow: `.github/workflows/${name}.yml`,
        event: 'workflow_dispatch',
        payload: { inputs: { channel: 'stable' } },
        env: { GITHUB_RUN_ID: id },
      });
      expect(jobOf(all, name).result, all.log).toBe('success');
      return emulator.store.manifest('org/app', 'stable')?.bytes;
    };
    expect(await run('11', 'promote', promote)).toEqual(second.bytes);
    expect(await run('12', 'rollback', rollback)).toEqual(first.bytes);
  } finally {
    await Promise.all([release.remove(), emulator.stop()]);
  }
});
