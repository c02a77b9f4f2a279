import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskClosure } from '../../test/support/made-disk.ts';
import { standInDisk } from '../../test/support/stand-in-disk.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { timed } from '../measure/timed.ts';
import type { Maker } from './makers.ts';

/**
 * All of a disk that boots, not its store alone: EFI system partition with a unified kernel image, store with registration, empty root and
 * partition tables. Kernel and tools are those of the stand-in disk, which is fetched here, before anything is timed.
 */
export async function wholeDisk(log: (line: string) => void): Promise<Maker> {
  const { input } = await standInDisk({ system: systemOfMachine(), log });
  return {
    name: 'nix-images, the whole disk',
    make: async ({ entries }, image, { scratch }) => {
      const storeRoots = entries.map(({ from }) => from);
      const paths = storeRoots.map((outPath) => ({ drvPath: null, output: null, outPath }));
      const definition = { ...input, roots: [...input.roots, ...paths], storeRoots };
      const [workDir, request] = [join(scratch, 'whole'), join(scratch, 'whole.json')];
      await mkdir(workDir);
      await writeFile(request, JSON.stringify({ definition, closure: await diskClosure({ storeRoots }), workDir }));
      const usage = await timed(
        { program: process.execPath, args: [join(import.meta.dirname, 'write-disk.ts'), request] },
        scratch,
      );
      await rename(join(workDir, 'disk.raw'), image);
      await rm(workDir, { recursive: true });
      return usage;
    },
  };
}
