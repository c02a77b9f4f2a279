import { copyFile, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataBytes } from '../../../src/disk/extent.ts';
import { type OpenDiskOptions, openDisk } from '../../../src/disk/open-disk.ts';
import { contentOf, diskTools, noise, qemuImg, writeDisk } from '../../support/disks.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

// Seconds: qemu-img runs some forty times.
const KIB = 1024;
const MIB = KIB * KIB;
// Whole cylinders as VHDs count them (of 16 heads and 63 sectors), and no whole number of clusters.
const SIZE = 40 * 16 * 63 * 512;

let dir: TempDir;
let raw: string;
let content: Buffer;

beforeAll(async () => {
  dir = await uniqueTempDir('disk-formats');
  raw = join(dir.path, 'disk.raw');
  await writeDisk(raw, SIZE, [
    [0, noise(5 * KIB, 1)],
    [MIB + 4 * KIB, noise(300 * KIB, 2)],
    [5 * MIB, Buffer.from('text that is packed well '.repeat(20_000))],
    // Zeros that are written are data until somebody looks.
    [9 * MIB, Buffer.alloc(128 * KIB)],
    [SIZE - 3 * KIB, noise(3 * KIB, 3)],
  ]);
  content = await readFile(raw);
});

afterAll(() => dir.remove());

const FORMATS: readonly (readonly [name: string, words: readonly string[]])[] = [
  ['raw', ['-O', 'raw']],
  ['vhd fixed', ['-O', 'vpc', '-o', 'subformat=fixed,force_size']],
  ['vhd dynamic', ['-O', 'vpc', '-o', 'subformat=dynamic,force_size']],
  ['qcow2 version 2', ['-O', 'qcow2', '-o', 'compat=0.10']],
  ['qcow2 version 3', ['-O', 'qcow2', '-o', 'compat=1.1']],
  ['qcow2 of 512-byte clusters', ['-O', 'qcow2', '-o', 'cluster_size=512']],
  ['qcow2 of 2 MiB clusters', ['-O', 'qcow2', '-o', 'cluster_size=2M']],
  ['qcow2 deflated', ['-O', 'qcow2', '-c']],
  ['qcow2 deflated, version 2', ['-O', 'qcow2', '-c', '-o', 'compat=0.10,cluster_size=4k']],
  ['qcow2 with zstd', ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd']],
  ['qcow2 with zstd in 2 MiB clusters', ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd,cluster_size=2M']],
  ['qcow2 preallocated', ['-O', 'qcow2', '-o', 'preallocation=metadata']],
  ['qcow2 with lazy refcounts of 64 bits', ['-O', 'qcow2', '-o', 'lazy_refcounts=on,refcount_bits=64']],
];

test.for(FORMATS)('%s holds what qemu-img put in', async ([name, words]) => {
  const path = join(dir.path, `${name.replaceAll(' ', '-')}.img`);
  await qemuImg('convert', '-f', 'raw', ...words, raw, path);
  const disk = await openDisk(path, diskTools);
  expect(disk.format).toBe(name.split(' ')[0]);
  expect(disk.size).toBe(SIZE);
  expect((await contentOf(disk)).equals(content)).toBe(true);
  // Odd places, across the ends of clusters and blocks.
  for (const [position, length] of [
    [3, 70_001],
    [MIB - 7, 2 * MIB + 9],
    [SIZE - 5, 5],
  ] as const) {
    const part = Buffer.alloc(length, 0xff);
    await disk.read(part, position);
    expect(part.equals(content.subarray(position, position + length))).toBe(true);
  }
  await expect(disk.read(Buffer.alloc(512), SIZE - 511)).rejects.toMatchObject({ code: 'file' });
  await disk.close();
});

test('clusters that a qcow2 marks as zero are zeros, whatever lies in them', async () => {
  const path = join(dir.path, 'zeroed.qcow2');
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, path);
  const { exitCode } = await runProgram(programPath('qemu-io'), ['-f', 'qcow2', '-c', 'write -z 1M 256k', path]);
  expect(exitCode).toBe(0);
  const zeroed = Buffer.from(content).fill(0, MIB, MIB + 256 * KIB);
  const disk = await openDisk(path, diskTools);
  expect((await contentOf(disk)).equals(zeroed)).toBe(true);
  await disk.close();
});

test('a VHD of the size that its geometry allows is read as long as qemu says it is', async () => {
  const path = join(dir.path, 'geometry.vhd');
  await qemuImg('convert', '-f', 'raw', '-O', 'vpc', raw, path);
  const disk = await openDisk(path, diskTools);
  const info = JSON.parse(await qemuImg('info', '--output=json', '-f', 'vpc', path)) as { 'virtual-size': number };
  expect(disk.size).toBe(info['virtual-size']);
  expect(disk.size).toBeGreaterThan(SIZE);
  expect((await contentOf(disk)).equals(Buffer.concat([content, Buffer.alloc(disk.size - SIZE)]))).toBe(true);
  await disk.close();
});

test('holes are known without reading them: extents are those of qemu-img map', async () => {
  const disk = await openDisk(raw, diskTools);
  const map = JSON.parse(await qemuImg('map', '--output=json', '-f', 'raw', raw)) as {
    start: number;
    length: number;
    data: boolean;
  }[];
  expect(disk.extents).toEqual(map.filter(({ data }) => data).map(({ start, length }) => ({ offset: start, length })));
  expect(dataBytes(disk.extents)).toBeLessThan(MIB);
  await disk.close();
});

async function extentsOf(path: string, options: Partial<OpenDiskOptions> = {}) {
  const disk = await openDisk(path, { ...diskTools, ...options });
  await disk.close();
  return disk.extents;
}

test('a file without holes, one that is all hole, and a tar that is not GNU', async () => {
  const full = join(dir.path, 'full.raw');
  await writeFile(full, noise(64 * KIB, 4));
  const empty = join(dir.path, 'empty.raw');
  await writeDisk(empty, 64 * MIB, []);
  expect(await extentsOf(full)).toEqual([{ offset: 0, length: 64 * KIB }]);
  expect(await extentsOf(empty)).toEqual([]);
  const exec: typeof diskTools.exec = (_program, words, options) =>
    diskTools.exec('busybox', ['tar', '-cf', '-', words.at(-1) ?? ''], options);
  expect(await extentsOf(empty, { exec })).toEqual([{ offset: 0, length: 64 * MIB }]);
});

test('extents that the maker gives are taken, and nobody is asked', async () => {
  const extents = [{ offset: 0, length: 8 * KIB }];
  const exec: typeof diskTools.exec = () => Promise.reject(new Error('asked'));
  expect(await extentsOf(raw, { exec, extents })).toEqual(extents);
});

const REFUSED: readonly (readonly [name: string, words: readonly string[], message: string])[] = [
  ['VMDK', ['-O', 'vmdk'], 'it is in the format VMDK'],
  ['VHDX', ['-O', 'vhdx'], 'it is in the format VHDX'],
  ['VDI', ['-O', 'vdi'], 'it is in the format VDI'],
  ['QED', ['-O', 'qed'], 'it is in the format QED'],
  ['qcow version 1', ['-O', 'qcow'], 'it is version 1 of qcow'],
  ['extended L2', ['-O', 'qcow2', '-o', 'extended_l2=on'], 'extended L2 entries'],
];

test.for(REFUSED)('%s is refused by name, with what to do', async ([name, words, message]) => {
  const path = join(dir.path, `refused-${name.replaceAll(' ', '-')}`);
  await qemuImg('convert', '-f', 'raw', ...words, raw, path);
  await expect(openDisk(path, diskTools)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringContaining(message),
    hint: expect.stringContaining('qemu-img convert -O raw'),
  });
});

test('files that hold changes to others, ciphertext or no data are refused by name', async () => {
  const at = (name: string): string => join(dir.path, name);
  const refused = (name: string, message: string) =>
    expect(openDisk(at(name), diskTools)).rejects.toThrow(`cannot read ${at(name)}: it is ${message}`);
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', raw, at('overlay'));
  await refused('overlay', 'a qcow2 with a backing file');
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${at('data')}`, at('external'), '1M');
  await refused('external', 'a qcow2 with an external data file');
  await qemuImg('create', '-q', '-f', 'qcow2', at('future'), '1M');
  const patch = async (name: string, offset: number, bytes: readonly number[]) => {
    await using file = await open(at(name), 'r+');
    await file.write(Buffer.from(bytes), 0, bytes.length, offset);
  };
  // LUKS: qemu-img would measure for seconds how often to hash the password.
  await patch('future', 35, [2]);
  await refused('future', 'an encrypted qcow2 (method 2)');
  await patch('future', 35, [0]);
  await patch('future', 79, [0x40]);
  await refused('future', 'a qcow2 with unknown incompatible features (0x40)');
  await patch('future', 79, [0x02]);
  await expect(openDisk(at('future'), diskTools)).rejects.toMatchObject({
    hint: 'Repair it: qemu-img check -r all IN',
  });
  await writeFile(at('packed'), Buffer.from('28b52ffd00', 'hex'));
  await expect(openDisk(at('packed'), diskTools)).rejects.toThrow('it is packed with zstd');
});

test('a VHD that is the difference to another is refused by name', async () => {
  const path = join(dir.path, 'difference.vhd');
  await qemuImg('create', '-q', '-f', 'vpc', path, '1M');
  const { size } = await stat(path);
  await using file = await open(path, 'r+');
  const footer = Buffer.alloc(512);
  await file.read(footer, 0, 512, size - 512);
  footer.writeUInt32BE(footer.readUInt32BE(64) - 1, 64);
  footer.writeUInt32BE(4, 60);
  await file.write(footer, 0, 512, size - 512);
  await expect(openDisk(path, diskTools)).rejects.toThrow('it is a differencing VHD');
});

test('truncated files name what is cut off and where', async () => {
  const cut = async (name: string, words: readonly string[], size: number): Promise<string> => {
    const whole = join(dir.path, `whole-${name}`);
    await qemuImg('convert', '-f', 'raw', ...words, raw, whole);
    const path = join(dir.path, `cut-${name}`);
    await copyFile(whole, path);
    await truncate(path, size < 0 ? (await stat(whole)).size + size : size);
    return openDisk(path, diskTools).then(
      () => 'was opened',
      ({ message }: Error) => message.replace(path, 'FILE'),
    );
  };
  expect(await cut('qcow2-head', ['-O', 'qcow2'], 60)).toBe(
    'FILE: the qcow2 header at byte 0 is cut off: the file ends at byte 60',
  );
  expect(await cut('qcow2', ['-O', 'qcow2'], 3 * 64 * KIB)).toBe(
    'FILE: the qcow2 L1 table at byte 196608 is cut off: the file ends at byte 196608',
  );
  expect(await cut('qcow2-data', ['-O', 'qcow2'], -65 * KIB)).toMatch(
    /^FILE: the qcow2 L2 entry of cluster \d+ at byte \d+ names byte \d+, where no cluster of 65536 bytes can be in a file of \d+$/,
  );
  expect(await cut('vhd', ['-O', 'vpc'], -512)).toMatch(
    /^FILE: the VHD footer at byte \d+ is missing, though its copy is at the start$/,
  );
  expect(await cut('raw', ['-O', 'raw'], -100)).toMatch(/^FILE: the disk at byte 0 ends within a sector of 512 bytes/);
});

test('a disk that is too large is refused before its tables are looked at', async () => {
  const path = join(dir.path, 'large.qcow2');
  await qemuImg('create', '-f', 'qcow2', path, '3T');
  // No table is left, so whoever read one would say that.
  await truncate(path, 64 * KIB);
  await expect(openDisk(path, diskTools)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(/is a disk of .+, and the limit is /),
    hint: expect.stringContaining('smaller disk'),
  });
});
