import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { sizeText } from '../core/size.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { bootFileOf } from '../oci/efi.ts';
import { espVolumeId } from './disk-uuid.ts';
import { FAT_RESERVED, FAT_SECTOR, type FatFile, type FatLayout, fatBytes, fatLayout } from './fat-room.ts';
import { runTool } from './run-tool.ts';

interface EspFile extends FatFile {
  /** Where it is copied from. */
  readonly from: string;
}

interface EspInput {
  readonly definition: DiskDefinition;
  /** Bytes of the partition. */
  readonly bytes: number;
  /** The unified kernel image's file; undefined where the definition has none. */
  readonly uki: string | undefined;
  /** Folder for the file system and for texts. */
  readonly folder: string;
}

/** Largest files named when all of them are too much. */
const FILES_NAMED = 3;

/** What messages call that which mkfs.vfat and mtools make. */
const MAKES = 'the EFI system partition';

/**
 * Makes the file system of the EFI system partition, and gives its file: FAT32 by mkfs.vfat, filled by mtools. Throws UserError `input` where
 * its files do not fit, and `build` when a tool fails.
 */
export async function makeEsp(exec: Effects['exec'], input: EspInput): Promise<string> {
  const { definition, bytes, folder } = input;
  const files = await espFiles(input);
  const layout = fatLayout(bytes);
  checkFits(files, layout, bytes);
  const image = join(folder, 'esp.img');
  await withFileErrors(image, 'write', async () => {
    await writeFile(image, '');
    await truncate(image, bytes);
  });
  const { mkfsVfat, mtools } = definition.tools;
  const format = [
    '-F',
    '32',
    '-S',
    `${FAT_SECTOR}`,
    '-s',
    `${layout.cluster / FAT_SECTOR}`,
    '-R',
    `${FAT_RESERVED}`,
    '-f',
    '2',
  ];
  const identity = ['-n', 'ESP', '-i', espVolumeId(definition), '--invariant'];
  await runTool(exec, { program: mkfsVfat, args: [...format, ...identity, image], makes: MAKES });
  const run = (args: readonly string[]) => runTool(exec, { program: mtools, args: ['-c', ...args], makes: MAKES });
  const folders = foldersOf(files);
  if (folders.length > 0) await run(['mmd', '-i', image, ...folders.map((path) => `::${path}`)]);
  for (const { from, path } of files) await run(['mcopy', '-i', image, from, `::${path}`]);
  return image;
}

/**
 * The files in the order in which they are written, and so lie on the disk: first those that are large and rarely change, last the texts,
 * whose length may change without moving anything.
 */
async function espFiles({ definition, uki, folder }: EspInput): Promise<EspFile[]> {
  const names = Object.keys(definition.espFiles).sort();
  const files: EspFile[] = [];
  const add = async (path: string, from: string): Promise<void> => {
    const { size } = await withFileErrors(from, 'read', () => stat(from));
    files.push({ path, from, size });
  };
  if (uki !== undefined) await add(bootFileOf(definition.system), uki);
  for (const path of names) {
    const file = definition.espFiles[path];
    if (file?.type === 'source') await add(path, file.source);
  }
  for (const [number, path] of names.entries()) {
    const file = definition.espFiles[path];
    if (file?.type !== 'text') continue;
    const from = join(folder, `text-${number}`);
    await withFileErrors(from, 'write', () => writeFile(from, file.text));
    await add(path, from);
  }
  return files;
}

/** The folders of files, each after those above it. */
function foldersOf(files: readonly FatFile[]): string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    const parts = path.split('/').slice(1, -1);
    for (const [index] of parts.entries()) folders.add(`/${parts.slice(0, index + 1).join('/')}`);
  }
  // FAT takes two spellings for one folder, and mmd refuses the second.
  const spellings = new Map([...folders].map((folder) => [folder.toUpperCase(), folder]));
  return [...spellings.values()].sort();
}

const MIB = 1 << 20;

function checkFits(files: readonly FatFile[], layout: FatLayout, bytes: number): void {
  const needed = fatBytes(files, layout);
  const room = layout.cluster * layout.clusters;
  if (needed <= room) return;
  const largest = [...files].sort((a, b) => b.size - a.size).slice(0, FILES_NAMED);
  const named = largest.map(({ path, size }) => `${path} ${sizeText(size)}`).join(', ');
  const wanted = Math.ceil((bytes + (needed - room) * 1.02) / MIB) + 1;
  throw new UserError(
    'input',
    `the files of the EFI system partition need ${sizeText(needed)} (${named}), but one of ${bytes / MIB} MiB has room for ${sizeText(room)}`,
    { hint: `Set partitions.esp.sizeMiB to ${wanted} or more, or leave something out of kernel and initrd.` },
  );
}
