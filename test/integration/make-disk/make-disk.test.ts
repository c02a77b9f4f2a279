// Six disks of a real kernel and a store of 48 MB, a second each, looked at with the file systems' own tools. The first run on a
// machine fetches and builds the stand-in disk.
import { mkdir, open, readFile, stat, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DiskDefinition } from '../../../src/definition/disk-definition.ts';
import { dataBytes, type Extent, extentEnd } from '../../../src/disk/extent.ts';
import { openDisk } from '../../../src/disk/open-disk.ts';
import { encodePositions, usedRuns } from '../../../src/erofs/positions.ts';
import { createExec } from '../../../src/host/exec.ts';
import type { MadeDisk } from '../../../src/make-disk/made-disk.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { NO_SIGNAL, treeListing, unpackErofs } from '../../support/erofs.ts';
import { copyPartition, diskClosure, madeDisk } from '../../support/made-disk.ts';
import { type StandInDisk, standInDisk } from '../../support/stand-in-disk.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let standIn: StandInDisk;
let disk: MadeDisk;
const at = (...parts: string[]): string => join(temp.path, ...parts);

async function make(name: string, definition: DiskDefinition, options = {}): Promise<MadeDisk> {
  await mkdir(at(name));
  return madeDisk(definition, { workDir: at(name), ...options });
}

beforeAll(async () => {
  temp = await uniqueTempDir('make-disk');
  standIn = await standInDisk();
  disk = await make('first', standIn.definition);
});
afterAll(() => temp.remove());

const partition = (made: MadeDisk, name: string) => {
  const found = made.partitions.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no partition ${name}`);
  return found;
};

async function copyOf(made: MadeDisk, name: string): Promise<string> {
  const file = `${made.path}.${name}`;
  await copyPartition(made.path, partition(made, name), file);
  return file;
}

const mtools = async (image: string, ...words: string[]): Promise<string> => {
  const [command = '', ...args] = words;
  const run = await runProgram(standIn.definition.tools.mtools, ['-c', command, '-i', image, ...args], {
    env: { MTOOLS_SKIP_CHECK: '1', TZ: 'UTC' },
  });
  expect([run.exitCode, run.stderr]).toEqual([0, '']);
  return run.stdout;
};

test('a disk is whole GiB with ESP, store and root, and partition tables that sgdisk finds right', async () => {
  expect(disk.size).toBe(2 ** 30);
  expect(disk.partitions.map(({ name }) => name)).toEqual(['ESP', 'nix-store', 'nixos']);
  const { stdout, exitCode } = await runProgram(programPath('sgdisk'), ['--verify', disk.path]);
  expect(stdout).toContain('No problems found');
  expect(exitCode).toBe(0);
});

test('fsck.vfat and e2fsck have nothing against the ESP and the empty root', async () => {
  const vfat = await runProgram(standIn.checks.fsckVfat, ['-n', '-v', await copyOf(disk, 'ESP')]);
  expect([vfat.exitCode, vfat.stderr, vfat.stdout]).toEqual([
    0,
    '',
    expect.not.stringMatching(/differ|wrong|fix|dirty/i),
  ]);
  const root = await copyOf(disk, 'nixos');
  const ext4 = await runProgram(standIn.checks.e2fsck, ['-f', '-n', root]);
  expect([ext4.exitCode, ext4.stdout]).toEqual([0, expect.stringMatching(/nixos: 11\/\d+ files/)]);
  // Whatever mke2fs.conf the machine has: what grows while it is mounted, and a journal for a disk that has grown.
  const { stdout } = await runProgram(join(dirname(standIn.checks.e2fsck), 'dumpe2fs'), ['-h', root], {
    env: { TZ: 'UTC', LC_ALL: 'C' },
  });
  expect(stdout).toMatch(
    /Filesystem features: +has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum\n/,
  );
  expect(stdout).toMatch(/Total journal size: +32M\n/);
  expect(stdout).toMatch(/Filesystem created: +Tue Jan {2}1 00:00:00 1980\n/);
});

test('the root grows to a hundred times its size, as disks of clouds do at first boot', async () => {
  const root = await copyOf(disk, 'nixos');
  await truncate(root, 25 * 2 ** 30);
  const resize2fs = join(dirname(standIn.checks.e2fsck), 'resize2fs');
  const resized = await runProgram(resize2fs, [root]);
  expect([resized.exitCode, resized.stdout]).toEqual([0, expect.stringContaining('is now 6553600 (4k) blocks long')]);
  const { exitCode } = await runProgram(standIn.checks.e2fsck, ['-f', '-n', root]);
  expect(exitCode).toBe(0);
});

test('fsck.erofs unpacks the store to what the closure is, and the registration', async () => {
  const closure = await diskClosure(standIn.definition);
  const into = at('unpacked');
  expect(await unpackErofs(await copyOf(disk, 'nix-store'), into)).toBe('');
  const wanted: Record<string, string> = {};
  for (const { path } of closure) {
    const listing = await treeListing(path, { isStore: true });
    for (const [name, what] of Object.entries(listing)) wanted[`/${basename(path)}${name}`] = what;
  }
  const found = await treeListing(into, { isStore: true });
  expect(found['/nix-path-registration']).toMatch(/^file [0-9a-f]{64}$/);
  const { '': _root, '/nix-path-registration': _registration, ...rest } = found;
  expect(rest).toEqual(wanted);
  // What `nix-store --load-db` makes of it is what the machine's own Nix knows.
  const state = { NIX_STATE_DIR: at('state'), NIX_REMOTE: '', NIX_CONFIG: 'build-users-group =' };
  const registration = await readFile(join(into, 'nix-path-registration'), 'utf8');
  const paths = closure.map(({ path }) => path);
  const script = [
    '-c',
    `nix-store --load-db && nix-store --query --hash ${paths.join(' ')} && nix-store --query --references ${paths.join(' ')}`,
  ];
  const loaded = await runWithInput('sh', script, registration, state);
  const known = await runProgram('sh', ['-c', script[1]?.replace('nix-store --load-db && ', '') ?? '']);
  expect([loaded.exitCode, loaded.stdout]).toEqual([0, known.stdout]);
});

async function runWithInput(program: string, args: readonly string[], input: string, env: Record<string, string>) {
  return createExec({ env: process.env, signal: NO_SIGNAL })(program, args, { input, env });
}

test('the unified kernel image has kernel, initrd, command line and release of the definition', async () => {
  const image = await copyOf(disk, 'ESP');
  await mtools(image, 'mcopy', '::/EFI/BOOT/BOOTX64.EFI', at('uki.efi'));
  const uki = await readFile(at('uki.efi'));
  const { boot } = standIn.definition;
  if (boot.loader !== 'uki' || boot.initrd === null) throw new Error('the stand-in has a unified kernel image');
  expect(uki.includes(await readFile(boot.kernel))).toBe(true);
  expect(uki.includes(await readFile(boot.initrd))).toBe(true);
  expect(uki.includes(boot.cmdline)).toBe(true);
  expect(uki.includes(boot.uname ?? 'none')).toBe(true);
});

test('two builds are equal to the byte, whatever time zone, umask, folder and clock', async () => {
  const umask = process.umask(0o077);
  let other: MadeDisk;
  try {
    const env = {
      ...process.env,
      TZ: 'Asia/Tokyo',
      LC_ALL: 'C.UTF-8',
      SOURCE_DATE_EPOCH: '1700000000',
      MTOOLS_LOWER_CASE: '1',
    };
    other = await make('a folder with a longer name', standIn.definition, { env });
  } finally {
    process.umask(umask);
  }
  expect(await runProgram('cmp', [disk.path, other.path])).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect({ ...other, path: '' }).toEqual({ ...disk, path: '' });
});

test('the file has holes where nothing is, and says where its data is', async () => {
  const { blocks, size } = await stat(disk.path);
  expect(size).toBe(disk.size);
  const data = dataBytes(disk.extents);
  // The file system's own blocks of 4 KiB, and extents of the store in which a file may have zeros.
  expect(blocks * 512).toBeLessThan(data + 64 * 4096);
  // The store, kernel and initrd once, and what FAT, ext4 and the tables say where things are.
  const store = usedRuns(disk.positions).reduce((sum, run) => sum + run.blocks * 4096, 0);
  const boot = standIn.definition.boot;
  const files = boot.loader === 'uki' ? [boot.kernel, boot.initrd ?? '', boot.stub] : [];
  const loaded = (await Promise.all(files.map((file) => stat(file)))).reduce((sum, found) => sum + found.size, 0);
  expect(data).toBeLessThan(store + loaded + 3 * 2 ** 20);
  expect(blocks * 512).toBeGreaterThan(data * 0.9);
  const opened = await openDisk(disk.path, {
    exec: createExec({ env: process.env, signal: NO_SIGNAL }),
    signal: NO_SIGNAL,
  });
  await opened.close();
  expect(opened.extents.filter((extent) => !isWithin(extent, disk.extents))).toEqual([]);
  expect(disk.extents.filter((extent) => !isWithin(extent, disk.pieces))).toEqual([]);
});

/** Whether an extent, but for what fills it up to a block of the file system, lies in others, one after another. */
function isWithin({ offset, length }: Extent, all: readonly Extent[]): boolean {
  let next = offset;
  const end = offset + length;
  for (const other of all) {
    // A file system's blocks reach to the next 4 KiB.
    if (other.offset - (other.offset % 4096) <= next && next < extentEnd(other))
      next = Math.ceil(extentEnd(other) / 4096) * 4096;
  }
  return next >= end;
}

/** Blocks of 512 KiB that differ, of those within a partition. */
async function blocksChanged(before: MadeDisk, after: MadeDisk, name: string): Promise<number> {
  const BLOCK = 524_288;
  const { offset, length } = partition(after, name);
  await using a = await open(before.path);
  await using b = await open(after.path);
  const [one, two] = [Buffer.alloc(BLOCK), Buffer.alloc(BLOCK)];
  let changed = 0;
  for (let position = offset; position < offset + length; position += BLOCK) {
    await a.read(one, 0, BLOCK, position);
    await b.read(two, 0, BLOCK, position);
    if (!one.equals(two)) changed += 1;
  }
  return changed;
}

test('a leaf that changes moves nothing else, and --fresh forgets where things were', async () => {
  const { definition } = await standInDisk({ revision: '1' });
  const next = await make('leaf', definition, { previous: disk.positions });
  expect(next.positionsBefore).toBe(digestOf(Buffer.from(encodePositions(disk.positions))));
  const before = new Map(disk.positions.paths.map(({ path, block }) => [path, block]));
  const top = basename(definition.storeRoots[0] ?? '');
  const moved = next.positions.paths.filter(({ path, block }) => before.get(path) !== block);
  expect(moved.map(({ path }) => path)).toEqual([top]);
  // Superblock and root directory, the first process, the registration.
  expect(await blocksChanged(disk, next, 'nix-store')).toBeLessThanOrEqual(4);
  expect(await blocksChanged(disk, next, 'nixos')).toBe(0);
  // The command line names the first process; kernel and initrd lie behind it, and stay.
  expect(await blocksChanged(disk, next, 'ESP')).toBeLessThanOrEqual(3);
  // The last path lies farther away than it would when packed.
  const paths = disk.positions.paths.map((placed) =>
    placed === disk.positions.paths.at(-1) ? { ...placed, block: placed.block + 1000 } : placed,
  );
  const apart = { ...disk.positions, blocks: disk.positions.blocks + 1000, paths };
  const fresh = await make('fresh', definition, { previous: apart, fresh: true });
  expect(fresh.positionsBefore).toBeNull();
  expect(fresh.positions.paths.map(({ block }) => block)).toEqual(disk.positions.paths.map(({ block }) => block));
});

test('with verity the root hash is in the command line by the name that is asked for, in the UUIDs, and right', async () => {
  const { boot } = standIn.definition;
  if (boot.loader !== 'uki') throw new Error('the stand-in has a unified kernel image');
  const verityArgument = 'storehash';
  const verified = await make('verity', { ...standIn.definition, verity: true, boot: { ...boot, verityArgument } });
  expect(verified.partitions.map(({ name }) => name)).toEqual(['ESP', 'nix-store', 'nix-store-verity', 'nixos']);
  const image = await copyOf(verified, 'ESP');
  await mtools(image, 'mcopy', '::/EFI/BOOT/BOOTX64.EFI', at('verity.efi'));
  const rootHash = / storehash=([0-9a-f]{64})/.exec((await readFile(at('verity.efi'))).toString('latin1'))?.[1] ?? '';
  const uuids = ['nix-store', 'nix-store-verity'].map((name) => partition(verified, name).uuid.replaceAll('-', ''));
  expect(uuids.join('')).toBe(rootHash);
  const data = await copyOf(verified, 'nix-store');
  // What is hashed ends with the file system, not with the partition.
  const { blocks } = verified.positions;
  expect((await runProgram('truncate', ['--size', `${blocks * 4096}`, data])).exitCode).toBe(0);
  const tree = await copyOf(verified, 'nix-store-verity');
  const hashes = await readFile(tree);
  const salt = hashes.subarray(88, 88 + 32).toString('hex');
  const words = [`--salt=${salt}`, '--hash=sha256', '--data-block-size=4096', '--hash-block-size=4096'];
  const { stdout } = await runProgram(programPath('veritysetup'), ['format', data, at('tree'), ...words]);
  expect(/Root hash:\s+([0-9a-f]{64})/.exec(stdout)?.[1]).toBe(rootHash);
});

test('a boot loader with entries is what espFiles says', async () => {
  const { boot } = standIn.definition;
  if (boot.loader !== 'uki') throw new Error('the stand-in has a unified kernel image');
  const entry = 'title Stand-in\nlinux /EFI/nixos/kernel.efi\n';
  const made = await make('loader', {
    ...standIn.definition,
    boot: { loader: 'files' },
    espFiles: {
      '/EFI/BOOT/BOOTX64.EFI': { type: 'source', source: standIn.systemdBoot },
      '/EFI/nixos/kernel.efi': { type: 'source', source: boot.kernel },
      '/loader/loader.conf': { type: 'text', text: 'timeout 3\n' },
      '/loader/entries/nixos-generation-1.conf': { type: 'text', text: entry },
    },
  });
  const image = await copyOf(made, 'ESP');
  expect(await mtools(image, 'mtype', '::/loader/entries/nixos-generation-1.conf')).toBe(entry);
  expect(await mtools(image, 'mtype', '::/loader/loader.conf')).toBe('timeout 3\n');
  await mtools(image, 'mcopy', '::/EFI/nixos/kernel.efi', at('kernel'));
  expect((await readFile(at('kernel'))).equals(await readFile(boot.kernel))).toBe(true);
  const names = await mtools(image, 'mdir', '-/', '-b', '::/');
  expect(names).toContain('::/EFI/BOOT/BOOTX64.EFI');
});
