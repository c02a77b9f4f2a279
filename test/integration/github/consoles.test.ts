import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { uploadConsoles } from '../../../src/commands/consoles.ts';
import { startResults } from '../../emulators/results/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { becomeJob } from './kit.ts';

test('each console is an artifact, again in the next attempt; one that cannot be uploaded is a warning', async () => {
  const results = await startResults();
  onTestFinished(() => results.stop());
  await using folder = await uniqueTempDir('consoles');
  await writeFile(join(folder.path, 'team-server-x86_64-linux-boots.console.txt'), 'Welcome\n');
  await writeFile(join(folder.path, 'team-server-x86_64-linux-silent.console.txt'), '');
  const { artifacts } = becomeJob(results, { run: 7, job: 'build' });
  const log = memoryLog();
  for (const attempt of [1, 2]) await uploadConsoles(folder.path, { attempt }, { artifacts, log });
  await uploadConsoles(join(folder.path, 'absent'), { attempt: 1 }, { artifacts, log });

  expect(results.artifacts().map(({ name }) => name)).toEqual([
    'team-server-x86_64-linux-boots-1.console.txt',
    'team-server-x86_64-linux-boots-2.console.txt',
  ]);
  const text = log.lines.join('\n');
  expect(text).toContain('the console is in the artifact team-server-x86_64-linux-boots-2.console.txt');
  expect(text).toContain('the console team-server-x86_64-linux-silent.console.txt is lost');
});
