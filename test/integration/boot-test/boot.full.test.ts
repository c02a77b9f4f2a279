// Six more boots by real firmware without KVM, some of a larger store: what is behind them hardly ever changes.
import { readdir, readFile } from 'node:fs/promises';
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

test('by hand: a disk comes up, and its console is kept', async () => {
  const made = await bootDisk(at('by-hand'));
  const { exitCode, stdout } = await runCli(['boot', made.path, '--consoles', at('consoles')]);
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^tests: 1 of 1 passed, with QEMU \d\S* with/)]);
  const [name = ''] = await readdir(at('consoles'));
  expect(await readFile(join(at('consoles'), name), 'utf8')).toContain('stand-in login: ');
});

test('a kernel that was told of no console is told as that', async () => {
  const made = await bootDisk(at('silent'), { words: ' console=tty0' });
  const failure = await bootStandIn(made, { prompt: true, timeout: 15 });
  expect(failure?.got).toContain('nothing but the firmware on the serial console');
});

/** A program of a package on the disk, for a shell in the machine. */
const tool = (name: string): string => `$(find /nix/store -path '*bin/${name}' | head -n 1)`;

const shell = (text: string) => ({ command: ['sh', '-c', text] });

/** Puts loader and libraries where Debian's programs look for them. */
const LIBRARIES = shell(
  'mkdir -p /lib64 /lib/x86_64-linux-gnu; ln -sf $(find /nix/store -name "*.so*") /lib/x86_64-linux-gnu; ' +
    'ln -sf $(find /nix/store -name ld-linux-x86-64.so.2 | head -n 1) /lib64',
);

test('the root partition and its file system take the room of a larger disk while it runs', async () => {
  const made = await bootDisk(at('grows'), { contents: ['fdisk', 'util-linux', 'e2fsprogs'] });
  const commands = [
    LIBRARIES,
    shell(`echo ', +' | ${tool('sfdisk')} --force --no-reread --no-tell-kernel -N 3 /dev/nvme0n1`),
    shell(`${tool('partx')} --update --nr 3 /dev/nvme0n1`),
    shell(`${tool('resize2fs')} /dev/nvme0n1p3`),
    { ...shell('df -m / | tail -n 1'), output: { matches: '^/dev/nvme0n1p3 +2[5-9][0-9]{2} ' } },
  ];
  expect(await bootStandIn(made, { diskGiB: 3, commands })).toBeNull();
});
