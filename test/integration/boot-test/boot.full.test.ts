// More boots by real firmware without KVM: what is behind them hardly ever changes.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { bootDisk, bootStandIn } from './kit.ts';

let temp: TempDir;
const at = (name: string): string => join(temp.path, name);

beforeAll(async () => {
  temp = await uniqueTempDir('boot-test');
});
afterAll(() => temp.remove());

test('a kernel that panics is told at once, with its trace', async () => {
  const made = await bootDisk(at('panic'), { words: ' stand-in.panic' });
  const failure = await bootStandIn(made, { prompt: true, timeout: 3600 });
  expect(failure).toMatchObject({
    expected: 'a login prompt on the console',
    got: expect.stringMatching(/^a kernel panic \(Attempted to kill init!/),
    output: expect.stringMatching(/Call Trace:[\s\S]*<\/TASK>/),
  });
});

test('a boot that never gets to its marker ends with its time, and shows how far it came', async () => {
  const made = await bootDisk(at('hang'), { words: ' stand-in.hang' });
  const { exitCode, stderr } = await runCli(['boot', made.path, '--says', 'STAND-IN-UP', '--timeout', '20']);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/expected: console that contains "STAND-IN-UP"\n\s+got: +none within 20 s\n/);
  expect(stderr).toContain('stand-in: hanging, as told');
});

test('a loader that the firmware cannot start ends in the shell of the firmware, which is told', async () => {
  const text = { type: 'text', text: 'no program' } as const;
  const fields = { boot: { loader: 'files' }, espFiles: { '/EFI/BOOT/BOOTX64.EFI': text } } as const;
  const made = await bootDisk(at('loader'), { fields });
  const failure = await bootStandIn(made, { prompt: true, timeout: 3600 });
  expect(failure?.got).toMatch(/^the shell of the firmware, which found nothing to boot \(UEFI Interactive Shell/);
});

test('a kernel that was told of no console is told as that', async () => {
  const made = await bootDisk(at('silent'), { words: ' console=tty0' });
  const failure = await bootStandIn(made, { prompt: true, timeout: 15 });
  expect(failure?.got).toContain('nothing but the firmware on the serial console');
});
