import { open, readFile, writeFile } from 'node:fs/promises';
import { PARTITION_TYPE, writeGpt } from '../../src/disk/gpt.ts';
import { noise, writeDisk } from './disks.ts';
import { programPath, runProgram } from './tools.ts';

const MIB = 1024 * 1024;

const ESP = { type: PARTITION_TYPE.esp, uuid: '01234567-89ab-4def-8123-456789abcdef', name: 'ESP', offset: MIB };
const ROOT = { type: PARTITION_TYPE.linux, uuid: '11234567-89ab-4def-8123-456789abcdef', name: 'root' };

/** Machines of PE headers, and the loader that UEFI looks for on each. */
const LOADERS = { x64: [0x8664, 'BOOTX64.EFI'], arm64: [0xaa64, 'BOOTAA64.EFI'] } as const;

async function run(program: string, ...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(programPath(program), args, { env: { MTOOLS_SKIP_CHECK: '1' } });
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

/**
 * Writes a raw disk of 64 MiB as UEFI boots one: GPT, an EFI system partition with what passes for a loader, a partition with some data, and holes.
 */
export async function uefiDisk(path: string, machine: keyof typeof LOADERS = 'x64'): Promise<void> {
  const [number, name] = LOADERS[machine];
  const loader = Buffer.alloc(8192);
  loader.write('MZ', 0, 'latin1');
  loader.writeUInt32LE(0x80, 60);
  loader.write('PE\0\0', 0x80, 'latin1');
  loader.writeUInt16LE(number, 0x84);
  const esp = `${path}.esp`;
  await writeFile(`${path}.efi`, loader);
  await writeDisk(esp, 40 * MIB, []);
  await run('mkfs.vfat', '-F', '32', '-s', '1', '-i', '12345678', '--invariant', esp);
  await run('mmd', '-i', esp, '::/EFI', '::/EFI/BOOT');
  await run('mcopy', '-i', esp, `${path}.efi`, `::/EFI/BOOT/${name}`);
  const data = noise(3 * MIB, 7);
  await writeDisk(path, 64 * MIB, [
    [ESP.offset, await readFile(esp)],
    [45 * MIB, data.subarray(0, MIB)],
    [54 * MIB + 4096, data.subarray(MIB)],
  ]);
  await using file = await open(path, 'r+');
  const partitions = [
    { ...ESP, length: 40 * MIB },
    { ...ROOT, offset: 41 * MIB, length: 22 * MIB },
  ];
  await writeGpt(file, { uuid: '9f3a2c11-7b1e-4c55-8a01-0102030405ff', partitions }, 64 * MIB);
}
