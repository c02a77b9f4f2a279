import { copyFile, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDisk, type DiskPurpose } from '../../../src/disk/check-disk.ts';
import { PARTITION_TYPE, type PartitionTable, writeGpt } from '../../../src/disk/gpt.ts';
import { openDisk } from '../../../src/disk/open-disk.ts';
import { resizeDisk } from '../../../src/disk/resize-disk.ts';
import { diskTools, writeDisk } from '../../support/disks.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

// Seconds: mkfs.vfat, mtools and sgdisk run some sixty times, one after the other.
const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const UEFI: DiskPurpose = { system: 'x86_64-linux', bootMode: 'uefi' };

const ESP = {
  type: PARTITION_TYPE.esp,
  uuid: '01234567-89ab-4def-8123-456789abcdef',
  name: 'ESP',
  offset: MIB,
  length: 40 * MIB,
};
const ROOT = {
  type: PARTITION_TYPE.linux,
  uuid: '11234567-89ab-4def-8123-456789abcdef',
  name: 'root',
  offset: 41 * MIB,
  length: 22 * MIB,
};
const TABLE: PartitionTable = { uuid: '9f3a2c11-7b1e-4c55-8a01-0102030405ff', partitions: [ESP, ROOT] };

let dir: TempDir;
let made = 0;

beforeAll(async () => {
  dir = await uniqueTempDir('disk-check');
});

afterAll(() => dir.remove());

/** As much of a PE file as says which machine it is for. */
function loader(machine: number): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.write('MZ', 0, 'latin1');
  // Seven sectors on, so that a chain of clusters is followed, in places of either parity.
  bytes.writeUInt32LE(0xe00, 60);
  bytes.write('PE\0\0', 0xe00, 'latin1');
  bytes.writeUInt16LE(machine, 0xe04);
  return bytes;
}

const run = async (program: string, ...args: readonly string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram(programPath(program), args, {
    env: { MTOOLS_SKIP_CHECK: '1' },
  });
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
};

/** A disk with the table, and an ESP with these files, of FAT with as many bits. */
async function diskWith(
  files: Readonly<Record<string, Buffer>>,
  { table = TABLE, bits = 32, size = SIZE }: { table?: PartitionTable; bits?: 12 | 16 | 32; size?: number } = {},
): Promise<string> {
  made += 1;
  const esp = join(dir.path, `esp-${made}`);
  // Clusters of a sector, as many as these bits count.
  await writeDisk(esp, { 12: 1, 16: 8, 32: 40 }[bits] * MIB, []);
  await run('mkfs.vfat', '-F', `${bits}`, '-s', '1', '-i', '12345678', esp);
  for (const folder of ['::/EFI', '::/EFI/BOOT']) await run('mmd', '-i', esp, folder);
  for (const [name, bytes] of Object.entries(files)) {
    const file = join(dir.path, 'loader');
    await writeFile(file, bytes);
    await run('mcopy', '-i', esp, file, `::/EFI/${name}`);
  }
  const path = join(dir.path, `disk-${made}.raw`);
  await writeDisk(path, size, [[ESP.offset, await readFile(esp)]]);
  await using file = await open(path, 'r+');
  await writeGpt(file, table, size);
  return path;
}

const X64 = { 'BOOT/BOOTX64.EFI': loader(0x8664) };

const checked = async (path: string, purpose = UEFI) => {
  const disk = await openDisk(path, diskTools);
  try {
    return await checkDisk(disk, purpose);
  } finally {
    await disk.close();
  }
};

/** The error of a check, with the path as DISK. */
const refusal = (path: string, purpose = UEFI): Promise<string> =>
  checked(path, purpose).then(
    () => 'passes',
    (error: Error & { code?: string }) =>
      error.code === 'file' ? error.message.replaceAll(path, 'DISK') : `bug: ${error.stack}`,
  );

async function patched(path: string, offset: number, bytes: Uint8Array): Promise<string> {
  made += 1;
  const copy = join(dir.path, `patched-${made}.raw`);
  await copyFile(path, copy);
  await using file = await open(copy, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
  return copy;
}

test.each([12, 16, 32] as const)('a disk with a loader in FAT%i passes', async (bits) => {
  const path = await diskWith(X64, { bits });
  expect(await checked(path)).toEqual({
    table: {
      ...TABLE,
      partitions: [
        { ...ESP, attributes: 0n },
        { ...ROOT, attributes: 0n },
      ],
    },
    warnings: [],
  });
});

test('a loader is found in a folder of many files, and whatever its name was written like', async () => {
  const names = Array.from({ length: 40 }, (_, at) => [
    `BOOT/a long name of a file, number ${at}.efi`,
    Buffer.from('x'),
  ]);
  const path = await diskWith({ ...Object.fromEntries(names), 'BOOT/BootX64.efi': loader(0x8664) });
  expect(await refusal(path)).toBe('passes');
});

test('the loader of another architecture, none, and what is no loader are told apart', async () => {
  expect(await refusal(await diskWith({ 'BOOT/BOOTX64.EFI': loader(0xaa64) }))).toBe(
    'DISK: /EFI/BOOT/BOOTX64.EFI in partition "ESP" is for aarch64, and the disk is for x86_64-linux',
  );
  const arm = await diskWith({ 'BOOT/BOOTAA64.EFI': loader(0xaa64) });
  expect(await refusal(arm)).toBe('DISK: its EFI system partition has /EFI/BOOT/BOOTAA64.EFI and no BOOTX64.EFI');
  expect(await refusal(arm, { ...UEFI, system: 'aarch64-linux' })).toBe('passes');
  expect(await refusal(await diskWith({}))).toBe('DISK: its EFI system partition has no /EFI/BOOT/BOOTX64.EFI');
  expect(await refusal(await diskWith({ 'BOOT/BOOTX64.EFI': Buffer.from('MZ') }))).toContain('is not an EFI program');
});

test('a disk without ESP is refused for UEFI, one without GPT too; a BIOS asks for neither', async () => {
  const bios = { ...UEFI, bootMode: 'legacy-bios' } as const;
  const noEsp = await diskWith({}, { table: { ...TABLE, partitions: [ROOT] } });
  expect(await refusal(noEsp)).toBe('DISK has no EFI system partition, and is to boot by UEFI');
  expect(await refusal(noEsp, bios)).toBe('passes');
  const bare = join(dir.path, 'bare.raw');
  await writeDisk(bare, SIZE, []);
  expect(await refusal(bare)).toBe('DISK: the GPT header at byte 512 does not begin with EFI PART');
  expect(await refusal(bare, bios)).toBe('passes');
});

test('an ESP that is no FAT says which field', async () => {
  const path = await diskWith(X64);
  expect(await refusal(await patched(path, MIB + 11, Buffer.from([0, 3])))).toBe(
    'DISK: the boot sector of the FAT at byte 1048587 names sectors of 768 bytes',
  );
});

test('damage of either header or list is told by structure and offset', async () => {
  const path = await diskWith(X64);
  const flip = (offset: number) => patched(path, offset, Buffer.from([0xa5]));
  expect(await refusal(await flip(512 + 60))).toMatch(
    /^DISK: the GPT header at byte 512 has the checksum \w+, not \w+ as it says$/,
  );
  expect(await refusal(await flip(1024 + 40))).toMatch(
    /^DISK: the entries of the GPT header at byte 1024 has the checksum/,
  );
  expect(await refusal(await flip(SIZE - 512 + 60))).toMatch(
    /^DISK: the backup GPT header at byte 67108352 has the checksum/,
  );
  expect(await refusal(await flip(SIZE - 33 * 512))).toMatch(
    /^DISK: the entries of the backup GPT header at byte 67091968 has/,
  );
  expect(await refusal(await patched(path, SIZE - 512, Buffer.alloc(512)))).toBe(
    'DISK: the backup GPT header at byte 67108352 is missing',
  );
});

/** The disk with another backup header, and the checksum that belongs to it. */
async function withBackup(path: string, change: (header: Buffer) => void): Promise<string> {
  const header = (await readFile(path)).subarray(SIZE - 512, SIZE);
  change(header);
  header.writeUInt32LE(0, 16);
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
  return patched(path, SIZE - 512, header);
}

test('a backup header that does not belong to the first one is refused', async () => {
  const path = await diskWith(X64);
  const backup = async (change: (header: Buffer) => void) => refusal(await withBackup(path, change));
  const start = 'DISK: the backup GPT header at byte 67108352';
  // As tools of the past wrote it.
  const shared = await backup((header) => header.writeBigUInt64LE(2n, 72));
  expect(shared).toBe(`${start} names entries at byte 1024, which are not its own`);
  expect(await backup((header) => header.writeBigUInt64LE(7n, 32))).toBe(
    `${start} says that the first header is at byte 3584`,
  );
  expect(await backup((header) => header.fill(0, 56, 60))).toMatch(/names the disk 00000000-/);
  const other = await withEntries(path, (entries) => entries.write('other', 128 + 56, 'utf16le'), [SIZE - 512]);
  expect(await refusal(other)).toBe(`${start} has other entries than the first one`);
});

test('a disk that was cut or has grown says where its backup header should be', async () => {
  const path = await diskWith(X64);
  await truncate(path, SIZE - MIB);
  expect(await refusal(path)).toBe(
    `DISK: the backup GPT header at byte ${SIZE - 512} is cut off: the disk ends at byte ${SIZE - MIB}`,
  );
  await truncate(path, SIZE + MIB);
  expect(await refusal(path)).toBe(
    `DISK: the backup GPT header at byte ${SIZE - 512} is not at the end of the disk, at byte ${SIZE + MIB - 512}: the disk has grown, or bytes follow it`,
  );
  await expect(checked(path)).rejects.toMatchObject({ hint: `Move it: sgdisk --move-second-header ${path}` });
  await run('sgdisk', '--move-second-header', path);
  expect(await refusal(path)).toBe('passes');
});

test('partitions that overlap, or lie where none may, are refused; odd beginnings are told', async () => {
  const path = await diskWith(X64, {
    table: { ...TABLE, partitions: [ESP, { ...ROOT, offset: ROOT.offset + 512, length: MIB }] },
  });
  expect((await checked(path)).warnings).toEqual([
    `${path}: partition "root" begins at byte ${ROOT.offset + 512}, not at a whole MiB`,
  ]);
  const overlapping = await withEntries(path, (entries) =>
    entries.writeBigUInt64LE(BigInt((20 * MIB) / 512), 128 + 32),
  );
  expect(await refusal(overlapping)).toBe(
    `DISK: partition "root" at byte ${20 * MIB} overlaps partition "ESP", which ends at byte ${41 * MIB}`,
  );
  const outside = await withEntries(path, (entries) => entries.writeBigUInt64LE(BigInt(SIZE / 512), 128 + 40));
  expect(await refusal(outside)).toContain(
    `partition "root" at byte ${ROOT.offset + 512} ends at byte ${SIZE + 512}; partitions lie from byte 17408 to`,
  );
});

/** No tool writes such tables: the disk with other entries, in both tables, and the checksums that belong to them. */
async function withEntries(
  path: string,
  change: (entries: Buffer) => void,
  headers: readonly number[] = [512, SIZE - 512],
): Promise<string> {
  const bytes = await readFile(path);
  for (const header of headers) {
    const entries = header === 512 ? 1024 : SIZE - 33 * 512;
    const list = bytes.subarray(entries, entries + 16_384);
    change(list);
    bytes.writeUInt32LE(crc32(list), header + 88);
    bytes.writeUInt32LE(0, header + 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(header, header + 92)), header + 16);
  }
  made += 1;
  const copy = join(dir.path, `entries-${made}.raw`);
  await writeFile(copy, bytes);
  return copy;
}

test('a disk is resized to whole GiB: sgdisk finds no fault, numbers, boot code and data stay', async () => {
  const path = await diskWith(X64);
  // A gap in the numbers, as Debian's cloud images have, and boot code.
  await run('sgdisk', '--transpose=2:5', path);
  await using file = await open(path, 'r+');
  await file.write(Buffer.from('boot code'), 0, 9, 0);
  const before = await run('sfdisk', '--dump', path);
  const disk = await openDisk(path, diskTools);
  expect(await resizeDisk(disk)).toBe(1024 * MIB);
  await disk.close();
  expect(await run('sgdisk', '-v', path)).toContain('No problems found');
  expect((await run('sfdisk', '--dump', path)).split('\n').slice(8)).toEqual(before.split('\n').slice(8));
  expect(await refusal(path)).toBe('passes');
  const start = Buffer.alloc(9);
  await file.read(start, 0, 9, 0);
  expect(start.toString()).toBe('boot code');
  const old = Buffer.alloc(512, 1);
  await file.read(old, 0, 512, SIZE - 512);
  expect(old.equals(Buffer.alloc(512))).toBe(true);
  const again = await openDisk(path, diskTools);
  expect(again.size).toBe(1024 * MIB);
  await expect(resizeDisk(again, 0)).rejects.toThrow('cannot make');
  expect(await resizeDisk(again, 1)).toBe(1024 * MIB);
  await again.close();
});
