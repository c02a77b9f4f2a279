import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../../src/core/error.ts';
import { checkDisk } from '../../../src/disk/check-disk.ts';
import { PARTITION_TYPE, writeGpt } from '../../../src/disk/gpt.ts';
import { openDisk } from '../../../src/disk/open-disk.ts';
import { chancesOf } from '../../support/chances.ts';
import { diskTools, noise, qemuImg, writeDisk } from '../../support/disks.ts';
import { programPath, runProgram, uniqueTempDir } from '../../support/tools.ts';

const KIB = 1024;
// Whole cylinders of a VHD, and as small as one can be with a system partition.
const SIZE = 2 * 16 * 63 * 512;
const ESP = { offset: 64 * KIB, length: 640 * KIB };

/** Milliseconds that one damaged disk may take: it takes two, and some tens on a busy machine. */
const PATIENCE = 5000;

/** Errors that a damaged disk may end in: structure and offset, or what is missing or not read by its name. */
const NAMED =
  / at byte \d+ |^cannot read \S+: |has no EFI system partition|its EFI system partition has |unpacks to more than|is a disk of |\/EFI\/BOOT\/BOOT/;

const FORMATS = [
  ['raw', []],
  ['vhd', ['-O', 'vpc', '-o', 'subformat=dynamic,force_size']],
  ['fixed', ['-O', 'vpc', '-o', 'subformat=fixed,force_size']],
  ['v2', ['-O', 'qcow2', '-o', 'compat=0.10,cluster_size=4k']],
  ['v3', ['-O', 'qcow2', '-o', 'cluster_size=4k']],
  ['deflate', ['-O', 'qcow2', '-c', '-o', 'cluster_size=4k']],
  ['zstd', ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd,cluster_size=16k']],
] as const;

async function rawDisk(folder: string): Promise<string> {
  const loader = Buffer.alloc(4096);
  loader.write('MZ', 0, 'latin1');
  loader.writeUInt32LE(128, 60);
  loader.write('PE\0\0', 128, 'latin1');
  loader.writeUInt16LE(0x8664, 132);
  const [esp, file, path] = ['esp', 'loader', 'raw'].map((name) => join(folder, name)) as [string, string, string];
  await writeDisk(esp, ESP.length, []);
  await writeFile(file, Buffer.concat([loader, noise(60 * KIB, 1)]));
  const steps = [
    ['mkfs.vfat', '-F', '12', '-i', '12345678', esp],
    ['mmd', '-i', esp, '::/EFI', '::/EFI/BOOT'],
    ['mcopy', '-i', esp, file, '::/EFI/BOOT/BOOTX64.EFI'],
  ] as const;
  for (const [program, ...words] of steps) {
    const { exitCode, stderr } = await runProgram(programPath(program), words, { env: { MTOOLS_SKIP_CHECK: '1' } });
    if (exitCode !== 0) throw new Error(`${program}: ${stderr}`);
  }
  await writeDisk(path, SIZE, [
    [ESP.offset, await readFile(esp)],
    [720 * KIB, noise(100 * KIB, 2)],
  ]);
  await using disk = await open(path, 'r+');
  const uuid = '01234567-89ab-4def-8123-456789abcdef';
  await writeGpt(disk, { uuid, partitions: [{ type: PARTITION_TYPE.esp, uuid, name: 'ESP', ...ESP }] }, SIZE);
  return path;
}

/** Cuts a file off, or changes bits of it: half of them where its format keeps its tables. */
function damage(bytes: Buffer, chance: () => number): Buffer {
  if (chance() < 0.3) return bytes.subarray(0, Math.floor(chance() * bytes.length));
  const changed = Buffer.from(bytes);
  for (let left = 1 + Math.floor(chance() * 8); left > 0; left -= 1) {
    const place = chance();
    const range = chance() < 0.5 ? bytes.length : Math.min(bytes.length, 2048);
    const at = place < 0.2 ? bytes.length - 1 - Math.floor(chance() * 512) : Math.floor(chance() * range);
    changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(chance() * 8));
  }
  return changed;
}

/** What happens to a disk on its way: opened, looked at, read where its data is. */
async function readAll(path: string): Promise<void> {
  // Asking tar a thousand times would be most of the time.
  const disk = await openDisk(path, { ...diskTools, exec: () => Promise.reject(new Error('not asked')) });
  try {
    await checkDisk(disk, { system: 'x86_64-linux', bootMode: 'uefi' });
    const bytes = Buffer.alloc(64 * KIB);
    for (const { offset, length } of disk.extents.slice(0, 100)) {
      for (let at = 0; at < Math.min(length, SIZE); at += bytes.length) {
        await disk.read(bytes.subarray(0, Math.min(bytes.length, length - at)), offset + at);
      }
    }
  } finally {
    await disk.close();
  }
}

export interface DamageResult {
  /** What was neither read nor refused by a clear error, with its seed. */
  readonly faults: readonly string[];
  readonly refused: number;
  readonly read: number;
}

/** Damages disks of every format by the seeds from `first` on, `count` of them, and reads each. */
export async function readDamaged(first: number, count: number): Promise<DamageResult> {
  await using dir = await uniqueTempDir('disk-damage');
  const raw = await rawDisk(dir.path);
  const originals: Buffer[] = [];
  for (const [name, words] of FORMATS) {
    const path = join(dir.path, name);
    if (words.length > 0) await qemuImg('convert', '-f', 'raw', ...words, raw, path);
    // Each is whole before it is damaged.
    await readAll(path);
    originals.push(await readFile(path));
  }
  const faults: string[] = [];
  const ends = { refused: 0, read: 0 };
  const path = join(dir.path, 'damaged');
  for (let seed = first; seed < first + count; seed += 1) {
    const chance = chancesOf(seed);
    const [name] = FORMATS[seed % FORMATS.length] ?? ['raw'];
    await writeFile(path, damage(originals[seed % FORMATS.length] ?? Buffer.alloc(0), chance));
    const start = performance.now();
    try {
      await readAll(path);
      ends.read += 1;
    } catch (error) {
      if (error instanceof UserError && error.code === 'file' && NAMED.test(error.message)) ends.refused += 1;
      else faults.push(`${name}, seed ${seed}: ${error instanceof Error ? error.stack : error}`);
    }
    const ms = performance.now() - start;
    if (ms > PATIENCE) faults.push(`${name}, seed ${seed}: took ${ms} ms`);
  }
  return { faults, ...ends };
}
