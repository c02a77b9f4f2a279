// Three boots by real firmware without KVM, of two kernels: 4 to 8 s each on a quiet machine, most of it the firmware's and the
// kernel's own instructions, every one of them emulated.
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FS_BLOCK } from '../../../src/erofs/positions.ts';
import type { MadeDisk } from '../../../src/make-disk/made-disk.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { type StandInOptions, standInDisk } from '../../support/stand-in-disk.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { bootDisk, bootStandIn, type StatedTest } from './kit.ts';

let temp: TempDir;
let disk: MadeDisk;
const at = (name: string): string => join(temp.path, name);

beforeAll(async () => {
  temp = await uniqueTempDir('boot-test');
  disk = await bootDisk(at('x86-64'), { verity: true });
});
afterAll(() => temp.remove());

const BOOTS: StatedTest = {
  console: [{ contains: 'STAND-IN-UP revision=0' }, { matches: '^STAND-IN-OVERLAY written$' }],
  never: [{ matches: '^stand-in: ' }],
  port: { number: 8080, path: '/', text: { contains: 'stand-in revision 0' } },
};

test('a byte of the store that is another stops the boot, and the console says which block', async () => {
  const { offset = 0 } = disk.partitions.find(({ name }) => name === 'nix-store') ?? {};
  const place = disk.positions.paths.find(({ path }) => path.endsWith('-stand-in-system'));
  if (place === undefined) throw new Error('the first process has no place');
  const start = offset + place.block * FS_BLOCK;
  const content = Buffer.alloc(place.blocks * FS_BLOCK);
  await using file = await open(disk.path, 'r+');
  await file.read(content, 0, content.length, start);
  const byte = content.indexOf('STAND-IN-UP');
  expect(byte).toBeGreaterThan(0);
  const block = place.block + Math.floor(byte / FS_BLOCK);
  await file.write('s', start + byte);
  try {
    const console = [
      // Superblock and root directory are as they were.
      { contains: 'STAND-IN-STORE /dev/mapper/nix-store' },
      { matches: `verity: \\S+: data block ${block} is corrupted` },
    ];
    expect(await bootStandIn(disk, { console, never: [{ contains: 'TAND-IN-UP' }] })).toBeNull();
  } finally {
    await file.write('S', start + byte);
  }
});

test('AArch64: the same, with firmware of its own', async () => {
  const made = await bootDisk(at('aarch64'), { system: 'aarch64-linux' });
  const before = await stat(made.path);
  const commands = [{ command: ['uname', '-m'], output: { equals: 'aarch64\n' } }];
  expect(await bootStandIn(made, { ...BOOTS, prompt: true, commands })).toBeNull();
  // Nothing was written to it.
  expect((await stat(made.path)).mtimeMs).toBe(before.mtimeMs);
});

/** The stand-in with a test, for the command line. */
async function withTest(name: string, stated: StatedTest, options?: StandInOptions): Promise<string[]> {
  const { nix } = await standInDisk(options);
  const pairs = nix.args.flatMap((word, index) => (index % 3 === 1 ? [[word, nix.args[index + 1] ?? '']] : []));
  const args = pairs.map(([key, value]) => `${key} = ${JSON.stringify(value)};`).join(' ');
  const file = at(`${name}.nix`);
  const test = at(`${name}.json`);
  await writeFile(test, JSON.stringify(stated));
  const it = `builtins.fromJSON (builtins.readFile ${test})`;
  await writeFile(file, `{ disk = (import ${nix.file} { ${args} }).disk // { tests.it = ${it}; }; }\n`);
  return ['build', '--file', file, '--attr', 'disk', '--out', at(`${name}-handover`)];
}

// QEMU itself takes the connection to a port; that is no answer.
test('a build boots the disk before it hands it over, its store by dm-verity: markers, a write into the store, a port, commands that are typed, an enlarged disk', async () => {
  const commands = [
    { command: ['cat', '/sys/class/block/nvme0n1/size'], output: { equals: `${(3 * 2 ** 30) / 512}\n` } },
    // What a line editor and a shell would take for something else.
    {
      command: ['printf', '%s|', "a'b", 'tab\there\n', 'ü$HOME', '!1'],
      output: { equals: "a'b|tab\there\n|ü$HOME|!1|" },
    },
    { command: ['sh', '-c', 'echo out; echo err >&2; exit 3'], exitCode: 3, output: { equals: 'out\nerr\n' } },
  ];
  const console = [{ matches: '^STAND-IN-STORE /dev/mapper/nix-store \\d+ paths$' }, ...(BOOTS.console ?? [])];
  const words = await withTest('good', { ...BOOTS, console, diskGiB: 3, commands }, { verity: true });
  const consoles = at('consoles');
  // With whatever /dev/kvm of this machine is.
  const good = await runCli([...words, '--require-tests', '--consoles', consoles]);
  expect([good.exitCode, good.stderr]).toEqual([0, expect.stringContaining('passed: it (')]);
  expect(good.stdout).toMatch(/tests: 1 of 1 passed, with QEMU \d\S* with/);
  const [name = ''] = await readdir(consoles);
  expect(await readFile(join(consoles, name), 'utf8')).toContain('STAND-IN-OVERLAY written');
});

test('a disk whose tests fail is not handed over; where they cannot be run, that is said before the disk is made', async () => {
  const words = await withTest('bad', { prompt: true, timeout: 1 });
  const bad = await runCli([...words, '--boot-with', 'tcg']);
  expect(bad.exitCode).toBe(1);
  expect(bad.stderr).toMatch(/stand-in: 1 of 1 tests failed\n.*\n\s+command: +booting the disk\n/);
  expect(bad.stderr).toContain('--boot-with none leaves the tests of disks out');
  await expect(stat(at('bad-handover'))).rejects.toThrow('ENOENT');
  for (const none of [
    ['--boot-with', 'none'],
    ['--test-with', 'none'],
  ]) {
    const required = await runCli([...words, ...none, '--require-tests']);
    expect([required.exitCode, required.stderr]).toEqual([
      1,
      expect.stringContaining('not run: they are switched off'),
    ]);
    expect(required.stderr).not.toContain('Making the disk');
  }
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
