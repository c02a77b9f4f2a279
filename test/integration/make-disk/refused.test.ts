// What a disk is not made of, and what is left then; and FAT's room against mkfs.vfat itself. A tenth of a second each.
import { chmod, mkdir, open, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Log } from '../../../src/core/log.ts';
import type { DiskDefinition } from '../../../src/definition/disk-definition.ts';
import { openDefinitionDisk } from '../../../src/disk-image/open-definition-disk.ts';
import { createExec } from '../../../src/host/exec.ts';
import { makeEsp } from '../../../src/make-disk/esp.ts';
import { FAT_RESERVED, FAT_SECTOR, fatBytes, fatLayout } from '../../../src/make-disk/fat-room.ts';
import { openNix } from '../../../src/nix/nix.ts';
import { NO_SIGNAL } from '../../support/erofs.ts';
import { madeDisk } from '../../support/made-disk.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type StandInDisk, standInDisk } from '../../support/stand-in-disk.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

const MIB = 1 << 20;

let temp: TempDir;
let standIn: StandInDisk;
const at = (...parts: string[]): string => join(temp.path, ...parts);

beforeAll(async () => {
  temp = await uniqueTempDir('refused');
  standIn = await standInDisk();
});
afterAll(() => temp.remove());

/** Sizes of partitions, those that are not named as they are. */
type Sizes = Partial<Record<'esp' | 'store' | 'root', number>>;

function withSizes({ esp, store, root }: Sizes, more: Partial<DiskDefinition> = {}): DiskDefinition {
  const { partitions } = standIn.definition;
  return {
    ...standIn.definition,
    ...more,
    partitions: {
      esp: { sizeMiB: esp ?? partitions.esp.sizeMiB },
      store: { ...partitions.store, sizeMiB: store ?? null },
      root: { ...partitions.root, sizeMiB: root ?? partitions.root.sizeMiB },
    },
  };
}

let number = 0;

/** Has a disk made, which fails; gives the error and what is left in the folder. */
async function refused(definition: DiskDefinition, options = {}) {
  number += 1;
  const workDir = at(`work-${number}`);
  await mkdir(workDir);
  const error = await madeDisk(definition, { workDir, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, left: await readdir(workDir) };
}

const hintOf = (error: unknown): string => (error as { readonly hint?: string }).hint ?? '';

test('too little space is an error before anything is written', async () => {
  const { error, left } = await refused(standIn.definition, { free: 100 * MIB });
  expect(error).toMatchObject({
    code: 'file',
    message: expect.stringMatching(
      /^no space for the disk stand-in: 5\d\d\.\d MB are needed at .*, where 104\.9 MB are free$/,
    ),
  });
  expect(left).toEqual([]);
});

test('nothing is fetched or built for a disk that has no room here', async () => {
  const headings: string[] = [];
  const exec = createExec({ env: process.env, signal: NO_SIGNAL });
  const quiet = memoryLog();
  const log: Log = {
    ...quiet,
    group: (heading, work) => {
      headings.push(heading);
      return work();
    },
  };
  const tools = { nix: await openNix({ exec, log: quiet }), exec, log, signal: NO_SIGNAL, free: async () => 100 * MIB };
  const options = { previous: async () => undefined, fresh: true, isStoredHere: true };
  const opening = openDefinitionDisk(
    standIn.definition,
    { ...options, gcRootDir: temp.path, workDir: temp.path },
    tools,
  );
  await expect(opening).rejects.toThrow(/^no space for the disk stand-in: /);
  expect(headings).toEqual([]);
});

test('a closure that does not fit the stated size of the store, or of the disk', async () => {
  const store = await refused(withSizes({ store: 20 }));
  expect(store.error).toMatchObject({
    code: 'input',
    message: expect.stringMatching(/^the store needs \d\d\.\d MB for 18 paths, but its partition has 21\.0 MB$/),
  });
  expect(store.left).toEqual([]);
  const enough = /^Set partitions\.store\.sizeMiB to (\d+) or more, or leave it out\. /.exec(hintOf(store.error))?.[1];
  await mkdir(at('store-fits'));
  await expect(madeDisk(withSizes({ store: Number(enough) }), { workDir: at('store-fits') })).resolves.toBeDefined();
  const disk = await refused(withSizes({ root: 880 }, { sizeGiB: 1 }));
  expect(disk.error).toMatchObject({ code: 'input', message: expect.stringContaining('but its partition has') });
  expect(hintOf(disk.error)).toMatch(/^Set sizeGiB to 2 or more, or leave it out: then it is the least that fits\. /);
  expect(disk.left).toEqual([]);
});

test('files that the EFI system partition has no room for, with numbers and what to set', async () => {
  const boot = standIn.definition.boot;
  if (boot.loader !== 'uki') throw new Error('the stand-in has a unified kernel image');
  await writeFile(at('firmware'), '');
  await truncate(at('firmware'), 30 * MIB);
  const espFiles = { '/firmware.bin': { type: 'source' as const, source: at('firmware') } };
  const { error, left } = await refused(withSizes({ esp: 34 }, { espFiles }));
  expect(error).toMatchObject({
    code: 'input',
    message: expect.stringMatching(
      /^the files of the EFI system partition need 4\d\.\d MB \(\/firmware\.bin 31\.5 MB, \/EFI\/BOOT\/BOOTX64\.EFI 1\d\.\d MB\), but one of 34 MiB has room for 35\.\d MB$/,
    ),
  });
  expect(left).toEqual([]);
  // What it says to set is enough.
  const wanted = Number(/sizeMiB to (\d+)/.exec(hintOf(error))?.[1]);
  expect(wanted).toBeLessThan(48);
  await mkdir(at('enough'));
  await expect(madeDisk(withSizes({ esp: wanted }, { espFiles }), { workDir: at('enough') })).resolves.toBeDefined();
});

test('a tool that fails says its last lines, and leaves nothing', async () => {
  await writeFile(at('mkfs'), '#!/bin/sh\necho line of its output\necho "unknown option -z" >&2\nexit 3\n');
  await chmod(at('mkfs'), 0o755);
  const { tools } = standIn.definition;
  const failing = await refused({ ...standIn.definition, tools: { ...tools, mkfsExt4: at('mkfs') } });
  expect(failing.error).toMatchObject({
    code: 'build',
    message: 'cannot make the root file system: mkfs failed with exit code 3: line of its output\nunknown option -z',
    hint: `The program is ${at('mkfs')}, from the definition's tools.`,
  });
  expect(failing.left).toEqual([]);
  const missing = await refused({ ...standIn.definition, tools: { ...tools, ukify: at('no-ukify') } });
  expect(missing.error).toMatchObject({ code: 'file', message: `cannot run ${at('no-ukify')}: no such program` });
  expect(missing.left).toEqual([]);
});

test('previous positions that leave no room in a stated size are refused, with what to do', async () => {
  const definition = withSizes({ store: 64 });
  await mkdir(at('packed'));
  const { positions } = await madeDisk(definition, { workDir: at('packed') });
  // The last path lies where the partition ended when it was larger.
  const paths = positions.paths.map((placed, index) =>
    index === positions.paths.length - 1 ? { ...placed, block: placed.block + 9000 } : placed,
  );
  const previous = { ...positions, blocks: positions.blocks + 9000, paths };
  const { error, left } = await refused(definition, { previous });
  expect(error).toMatchObject({ code: 'input', hint: expect.stringContaining('fresh') });
  expect(left).toEqual([]);
});

/** Clusters of a file system as its boot sector has them (Microsoft's FAT specification, "Determination of FAT Type"). */
async function clustersOf(image: string): Promise<number> {
  await using file = await open(image);
  const sector = Buffer.alloc(512);
  await file.read(sector, 0, 512, 0);
  const tables = sector.readUInt8(16) * sector.readUInt32LE(36);
  return Math.floor((sector.readUInt32LE(32) - sector.readUInt16LE(14) - tables) / sector.readUInt8(13));
}

test.each([
  34, 35, 40, 64, 66, 67, 96, 128, 129, 132, 200, 256, 260, 264, 300, 512, 1024, 4096,
])('FAT of %i MiB is FAT32 with as many clusters as are counted on, or a few more', async (mib) => {
  const image = at(`fat-${mib}`);
  const { cluster, clusters } = fatLayout(mib * MIB);
  await writeFile(image, '');
  await truncate(image, mib * MIB);
  const format = ['-F', '32', '-S', `${FAT_SECTOR}`, '-s', `${cluster / FAT_SECTOR}`, '-R', `${FAT_RESERVED}`];
  const { exitCode, stderr } = await runProgram(standIn.definition.tools.mkfsVfat, [...format, image]);
  // mkfs.vfat warns where a file system of that many clusters is none of FAT32.
  expect([exitCode, stderr]).toEqual([0, '']);
  const found = await clustersOf(image);
  expect(found).toBeGreaterThanOrEqual(Math.max(clusters, 65_525));
  expect(found - clusters).toBeLessThan(256);
});

test('a file that takes all the room there is can be written', async () => {
  const bytes = 34 * MIB;
  const layout = fatLayout(bytes);
  const room = layout.cluster * layout.clusters;
  const path = '/a folder with a long name/and another one/file.with-a-long-name';
  const size = room - fatBytes([{ path, size: 0 }], layout);
  await writeFile(at('full'), Buffer.alloc(size, 1));
  const definition = { ...standIn.definition, espFiles: { [path]: { type: 'source' as const, source: at('full') } } };
  await mkdir(at('esp'));
  const exec = createExec({ env: process.env, signal: NO_SIGNAL });
  const image = await makeEsp(exec, { definition, bytes, uki: undefined, folder: at('esp') });
  const check = await runProgram(standIn.checks.fsckVfat, ['-n', image]);
  expect([check.exitCode, check.stdout]).toEqual([0, expect.stringMatching(/: 4 files, \d+\/\d+ clusters/)]);
  await writeFile(at('full'), Buffer.alloc(size + 1, 1));
  await expect(makeEsp(exec, { definition, bytes, uki: undefined, folder: at('esp') })).rejects.toMatchObject({
    code: 'input',
  });
});
