import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { removeMounted } from '../../../bench/begin.ts';
import { startTimed } from '../../../bench/measure/timed.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

// It holds the standard error that the command has inherited, so the command does not count as ended before it has.
const STARTS_ANOTHER = `
  import { spawn } from 'node:child_process';
  import { writeFileSync } from 'node:fs';
  const { pid } = spawn('sleep', ['600'], { stdio: 'inherit' });
  writeFileSync(process.argv[1], String(pid));`;

test('a command that is interrupted ends with all that it has started', async () => {
  await using temp = await uniqueTempDir('interrupted');
  const file = join(temp.path, 'pid');
  const controller = new AbortController();
  const args = ['--input-type=module', '--eval', STARTS_ANOTHER, file];
  const command = { program: process.execPath, args, signal: controller.signal };
  const { ended } = startTimed(command, temp.path);
  ended.catch(() => undefined);
  await vi.waitFor(() => expect(existsSync(file)).toBe(true));
  const reason = new Error('interrupted by SIGTERM');
  controller.abort(reason);
  await expect(ended).rejects.toBe(reason);
  expect(() => startTimed(command, temp.path)).toThrow(reason);
});

test('the first signal is heard, the second one ends the process', async () => {
  const module = new URL('../../../bench/interruption.ts', import.meta.url);
  const script = `
    import { watchInterruption } from ${JSON.stringify(module.href)};
    const { signal } = watchInterruption();
    signal.addEventListener('abort', () => console.log(signal.reason.message));
    setInterval(() => {}, 1000);
    console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = child.stdout.setEncoding('utf8');
  const ended = once(child, 'exit');
  expect(await once(lines, 'data')).toEqual(['ready\n']);
  child.kill('SIGINT');
  expect(await once(lines, 'data')).toEqual(['interrupted by SIGINT\n']);
  child.kill('SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
});

test.skipIf(process.getuid?.() !== 0)('a folder is removed with what is mounted in it', async () => {
  await using temp = await uniqueTempDir('mounted');
  const outer = join(temp.path, 'scratch/a graph');
  const inner = join(outer, 'overlay');
  for (const point of [outer, inner]) {
    await mkdir(point, { recursive: true });
    const { exitCode, stderr } = await runProgram('mount', ['-t', 'tmpfs', 'tmpfs', point]);
    expect(exitCode, stderr).toBe(0);
  }
  await removeMounted(join(temp.path, 'scratch'));
  expect(existsSync(join(temp.path, 'scratch'))).toBe(false);
  expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(temp.path);
});
