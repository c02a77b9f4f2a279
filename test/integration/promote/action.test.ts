import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { runCli } from '../../support/cli.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { open } from '../storage/bench.ts';
import { done, inRun, putRelease } from './kit.ts';

// Three steps of two or three seconds, in processes: each run that moves a tag looks whether it stays.
test('in runs: outputs, who promoted, and a slower, older run that leaves alone what a newer one moved', async () => {
  const [emulator, temp] = [await startEmulator({ referrersPerPage: 9 }), await uniqueTempDir('promote')];
  try {
    const app = `${emulator.host}/org/app`;
    const repository = open(app);
    const images = [];
    for (const run of [1, 2, 3]) images.push(await putRelease(repository, run, `v${run}`));
    await repository.tag('stable', images[0] as NonNullable<(typeof images)[0]>);
    const step = async (action: string, run: number, inputs: Readonly<Record<string, string>>) => {
      const folder = join(temp.path, `${action}-${run}-${crypto.randomUUID()}`);
      await mkdir(folder);
      const files = { GITHUB_OUTPUT: join(folder, 'output'), GITHUB_STEP_SUMMARY: join(folder, 'summary') };
      for (const file of Object.values(files)) await writeFile(file, '');
      const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
      const { exitCode, stdout, stderr } = await runCli([`--action=${action}`], {
        cwd: folder,
        env: { GITHUB_ACTIONS: 'true', RUNNER_TEMP: folder, ...inRun(run), ...files, ...Object.fromEntries(given) },
        asProcess: 'the toolkit of actions reads and changes the environment of its process',
      });
      const log = stdout + stderr;
      expect(exitCode, log).toBe(0);
      return {
        log,
        outputs: await readFile(files.GITHUB_OUTPUT, 'utf8'),
        summary: await readFile(files.GITHUB_STEP_SUMMARY, 'utf8'),
      };
    };
    const newer = await step('promote', 20, { reference: `${app}:v2`, channels: 'stable' });
    expect(newer.outputs).toMatch(/changed<<\S+\ntrue\n/);
    expect(newer.outputs).toContain(`\n${images[0]?.digest}\n`);
    expect(newer.summary).toContain('### Promoted ');
    const slower = await step('promote', 10, { reference: `${app}:v3`, channels: 'stable' });
    expect(slower.outputs).toMatch(/changed<<\S+\nfalse\n/);
    expect(slower.log).toContain('stable is not moved: the newer run 20 has moved it');
    await step('rollback', 30, { reference: `${app}:stable` });
    const again = await step('rollback', 30, { reference: `${app}:stable` });
    expect(again.log).toContain('a re-run does not go further back');
    expect(again.outputs).toMatch(/changed<<\S+\nfalse\n/);
    const { entries } = (await done('history', `${app}:stable`)) as unknown as { entries: object[] };
    expect(entries).toMatchObject([
      { digest: images[0]?.digest, kind: 'rollback', run: { id: '30' }, by: 'octocat' },
      { digest: images[1]?.digest, kind: 'promote', run: { id: '20' }, commit: '2'.padStart(40, '0') },
      { digest: images[0]?.digest, kind: null, run: null },
    ]);
  } finally {
    await Promise.all([emulator.stop(), temp.remove()]);
  }
});
