import { statfs } from 'node:fs/promises';
import type { Exec } from '../../src/core/exec.ts';
import type { Closure } from '../../src/definition/closure.ts';
import type { DiskDefinition } from '../../src/definition/disk-definition.ts';
import type { Partition } from '../../src/disk/gpt.ts';
import { createExec } from '../../src/host/exec.ts';
import type { MadeDisk } from '../../src/make-disk/made-disk.ts';
import { type MakeDiskOptions, makeDisk } from '../../src/make-disk/make-disk.ts';
import { readClosure } from '../../src/nix/closure.ts';
import { memoryLog } from './memory-log.ts';
import { nixVersionsUnderTest, openNixUnderTest } from './nix.ts';
import { runProgram } from './tools.ts';

export interface MadeDiskOptions extends MakeDiskOptions {
  /** Environment of this program. Default: the test's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Bytes that are free in the work folder. Default: as it is. */
  readonly free?: number;
}

/** The closure of a disk's store roots, which are in the store of this machine. */
export async function diskClosure({ storeRoots }: Pick<DiskDefinition, 'storeRoots'>): Promise<Closure> {
  const [machine] = nixVersionsUnderTest();
  if (machine === undefined) throw new Error('there is no Nix');
  return (await readClosure(await openNixUnderTest(machine), storeRoots)).closure;
}

/** Makes the disk of a definition, such as that of the stand-in disk, in `workDir`. */
export async function madeDisk(definition: DiskDefinition, options: MadeDiskOptions): Promise<MadeDisk> {
  const { signal } = new AbortController();
  const exec: Exec = createExec({ env: options.env ?? process.env, signal });
  const free = async (folder: string): Promise<number> => {
    const { bavail, bsize } = await statfs(folder);
    return options.free ?? bavail * bsize;
  };
  return makeDisk(definition, await diskClosure(definition), options, { exec, signal, log: memoryLog(), free });
}

/** Copies a partition of a raw disk to a file, with its holes. */
export async function copyPartition(disk: string, { offset, length }: Partition, file: string): Promise<void> {
  const MIB = 1 << 20;
  const place = [`skip=${offset / MIB}`, `count=${Math.ceil(length / MIB)}`];
  const { exitCode, stderr } = await runProgram('dd', [
    `if=${disk}`,
    `of=${file}`,
    `bs=${MIB}`,
    ...place,
    'conv=sparse',
  ]);
  if (exitCode !== 0) throw new Error(stderr);
  // A hole at the end is none of the file unless it is as long.
  const resized = await runProgram('truncate', ['--size', `${length}`, file]);
  if (resized.exitCode !== 0) throw new Error(resized.stderr);
}
