import { execFile } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programPath } from '../../test/support/tools.ts';
import type { Command } from '../measure/command.ts';
import { timed } from '../measure/timed.ts';
import { inTurn, type Usage } from '../measure/usage.ts';
import type { DiskVersion } from './versions.ts';

const run = promisify(execFile);

/** What makes a file system of a store. */
export interface Maker {
  readonly name: string;
  /** Makes `image`. `before` is the image of the version before, for whoever can use it. */
  make(
    version: DiskVersion,
    image: string,
    options: {
      readonly before?: string;
      readonly scratch: string;
      /** Whether an image that is no disk yet is copied into one, for what it takes; its bytes are the same. */
      readonly copied?: boolean;
    },
  ): Promise<Usage>;
}

const UUID = '6b1c2f6e-0d6f-4e6a-9a3a-2f1d5c0b9e77';

/** Both tools are asked for what makes two runs equal. */
const FIXED_TIME = { E2FSPROGS_FAKE_TIME: '1', SOURCE_DATE_EPOCH: '1' };

/** Writes into the disk itself, at the places of the version before. */
const own: Maker = {
  name: 'nix-images',
  make: async ({ entries }, image, { before, scratch }) => {
    const list = join(scratch, 'entries.json');
    await writeFile(list, JSON.stringify(entries));
    const words = [join(import.meta.dirname, 'write-store.ts'), list, image, ...(before ? [`${before}.json`] : [])];
    return timed({ program: process.execPath, args: words }, scratch);
  },
};

/** Tools that want a folder and make a file, which is then copied into the partition. */
const ofFolder = (name: string, commandFor: (tree: string, image: string) => Command): Maker => ({
  name,
  make: async ({ entries }, image, { scratch, copied: isCopied = false }) => {
    const folder = await mkdtemp(join(scratch, 'tree-'));
    try {
      for (const entry of entries) await link(entry.from, join(folder, entry.name));
      const { stdout } = await run('du', ['-s', '--block-size=1', folder]);
      // Room for inodes and journal; holes cost nothing.
      const bytes = Math.ceil((Number.parseInt(stdout, 10) * 1.5) / 2 ** 20 + 64) * 2 ** 20;
      await writeFile(image, '');
      await truncate(image, bytes);
      const made = await timed(commandFor(folder, image), scratch);
      if (!isCopied) return made;
      const copying = ['conv=sparse,notrunc', 'bs=1M', 'status=none', `if=${image}`, `of=${image}.partition`];
      const copied = await timed({ program: 'dd', args: copying }, scratch);
      await rm(`${image}.partition`);
      return inTurn([made, copied]);
    } finally {
      // Folders alone: the files are the store's own.
      await run('find', [folder, '-type', 'd', '-exec', 'chmod', 'u+w', '{}', '+']).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    }
  },
});

/** A folder that shares its files with the store, where both are on one file system. */
async function link(from: string, to: string): Promise<void> {
  await run('cp', ['-al', from, to]).catch(() => run('cp', ['-a', from, to]));
}

const mkfsExt4 = ofFolder('`mkfs.ext4 -d`, copied', (tree, image) => ({
  program: programPath('mkfs.ext4'),
  args: ['-q', '-F', '-d', tree, '-U', UUID, '-E', `hash_seed=${UUID},root_owner=0:0`, image],
  env: FIXED_TIME,
}));

const mkfsErofs = ofFolder('`mkfs.erofs`, copied', (tree, image) => ({
  program: programPath('mkfs.erofs'),
  args: ['--quiet', '-T1', `-U${UUID}`, '-x-1', '--all-root', image, tree],
  env: FIXED_TIME,
}));

export const MAKERS: readonly Maker[] = [own, mkfsExt4, mkfsErofs];

/** The index that casync makes of a file, chunks of 64 KiB on average. The chunks are kept in `scratch`, so that none is compressed twice. */
export async function casyncIndex(image: string, scratch: string): Promise<string> {
  const index = `${image}.caibx`;
  const store = join(scratch, 'chunks.castr');
  await run('casync', ['make', `--store=${store}`, '--compression=zstd', index, image]);
  return index;
}
