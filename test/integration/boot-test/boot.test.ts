// Three boots by real firmware without KVM, of two kernels: 4 to 8 s each on a quiet machine, most of it the firmware's and the
// kernel's own instructions, every one of them emulated.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MadeDisk } from '../../../src/make-disk/made-disk.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { bootDisk, bootStandIn, type StatedTest } from './kit.ts';

let temp: TempDir;
let disk: MadeDisk;
const at = (name: string): string => join(temp.path, name);

beforeAll(async () => {
  temp = await uniqueTempDir('boot-test');
  disk = await bootDisk(at('x86-64'));
});
afterAll(() => temp.remove());

const BOOTS: StatedTest = {
  console: [{ contains: 'STAND-IN-UP revision=0' }, { matches: '^STAND-IN-OVERLAY written$' }],
  never: [{ matches: '^stand-in: ' }],
  port: { number: 8080, path: '/', text: { contains: 'stand-in revision 0' } },
};

test('x86-64: markers, a write into the store, a port, commands that are typed, an enlarged disk', async () => {
  const before = await stat(disk.path);
  const commands = [
    { command: ['cat', '/sys/class/block/nvme0n1/size'], output: { equals: `${(3 * 2 ** 30) / 512}\n` } },
    // What a line editor and a shell would take for something else.
    {
      command: ['printf', '%s|', "a'b", 'tab\there\n', 'ü$HOME', '!1'],
      output: { equals: "a'b|tab\there\n|ü$HOME|!1|" },
    },
    { command: ['sh', '-c', 'echo out; echo err >&2; exit 3'], exitCode: 3, output: { equals: 'out\nerr\n' } },
  ];
  expect(await bootStandIn(disk, { ...BOOTS, diskGiB: 3, commands })).toBeNull();
  // Nothing was written to it.
  expect((await stat(disk.path)).mtimeMs).toBe(before.mtimeMs);
});

test('AArch64: the same, with firmware of its own', async () => {
  const made = await bootDisk(at('aarch64'), { system: 'aarch64-linux' });
  const commands = [{ command: ['uname', '-m'], output: { equals: 'aarch64\n' } }];
  expect(await bootStandIn(made, { ...BOOTS, prompt: true, commands })).toBeNull();
});

test('by hand: a port without HTTP counts when the machine has it, not when QEMU takes the connection', async () => {
  const consoles = at('consoles');
  // With whatever /dev/kvm of this machine is.
  const { exitCode, stdout, stderr } = await runCli(['boot', disk.path, '--port', '8080', '--consoles', consoles]);
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^tests: 1 of 1 passed, with QEMU \d\S* with/)]);
  expect(stderr).toContain('passed: boot');
  const [name = ''] = await readdir(consoles);
  expect(await readFile(join(consoles, name), 'utf8')).toContain('STAND-IN-OVERLAY written');
});

test('by hand: what cannot boot is refused before anything starts', async () => {
  const other = await runCli(['boot', disk.path, '--system', 'aarch64-linux']);
  expect([other.exitCode, other.stderr]).toEqual([1, expect.stringContaining('BOOTX64.EFI and no BOOTAA64.EFI')]);
  const nothing = await runCli(['boot', disk.path], { env: { PATH: at('x86-64') } });
  expect(nothing.exitCode).toBe(1);
  expect(nothing.stderr).toContain('disk.raw was not booted: qemu-system-x86_64 is not installed here');
  expect(nothing.stderr).toContain('hint: Install qemu-system-x86 and ovmf');
  const port = await runCli(['boot', disk.path, '--port', '80x']);
  expect([port.exitCode, port.stderr]).toEqual([2, expect.stringContaining('not a valid port: "80x"')]);
});

test('Ctrl-C ends the machine', async () => {
  const cli = startCli(['boot', disk.path, '--says', 'never', '--boot-with', 'tcg'], { env: { TMPDIR: temp.path } });
  const machines = async (): Promise<string> => (await runProgram('pgrep', ['-f', `file=${disk.path}`])).stdout;
  await expect.poll(machines, { timeout: 60_000 }).not.toBe('');
  cli.process.kill('SIGINT');
  const { exitCode } = await cli.ended;
  expect([exitCode, await machines()]).toEqual([130, '']);
});
