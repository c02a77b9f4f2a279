import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { z } from 'zod';
import { findEmulator } from '../../../src/boot-test/find-emulator.ts';
import { runBootTests } from '../../../src/boot-test/run-boot-tests.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { DiskDefinition } from '../../../src/definition/disk-definition.ts';
import { diskTestsSchema } from '../../../src/definition/disk-tests.ts';
import { createExec } from '../../../src/host/exec.ts';
import type { MadeDisk } from '../../../src/make-disk/made-disk.ts';
import type { TestFailure } from '../../../src/test-run/test-run.ts';
import { madeDisk } from '../../support/made-disk.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type StandInOptions, standInDisk } from '../../support/stand-in-disk.ts';

interface DiskOptions extends StandInOptions {
  /** Added to the kernel's command line. */
  readonly words?: string;
  readonly fields?: Partial<DiskDefinition>;
}

/** Makes the stand-in disk in a new folder. */
export async function bootDisk(
  workDir: string,
  { words = '', fields = {}, ...options }: DiskOptions = {},
): Promise<MadeDisk> {
  const { definition } = await standInDisk(options);
  const { boot } = definition;
  if (boot.loader !== 'uki') throw new Error('the stand-in has a unified kernel image');
  await mkdir(workDir);
  const cmdline = `${boot.cmdline}${words}`;
  return madeDisk({ ...definition, boot: { ...boot, cmdline }, ...fields }, { workDir });
}

export type StatedTest = z.input<typeof diskTestsSchema>[string];

/** Boots a disk without KVM, as the build does for one test, and gives what it failed for; nothing of it is left. */
export async function bootStandIn(made: MadeDisk, stated: StatedTest): Promise<TestFailure | null | undefined> {
  const { signal } = new AbortController();
  const tempDir = join(`${made.path}.temp`);
  await mkdir(tempDir, { recursive: true });
  const exec = createExec({ env: process.env, signal });
  const tools = { exec, signal, fetch, clock: systemClock, tempDir, log: memoryLog() };
  const env = (name: string): string | undefined => process.env[name];
  const found = await findEmulator('tcg', made.system, { ...tools, env, systemHere: 'x86_64-linux' });
  const tests = diskTestsSchema.parse({ boots: stated });
  const findThat = async (): Promise<typeof found> => found;
  const disk = { name: 'stand-in', system: made.system, tests };
  const run = await runBootTests(disk, made, 'tcg', { ...tools, findEmulator: findThat, consoleFolder: null });
  expect([run.notRun, await readdir(tempDir)]).toEqual([null, []]);
  return run.tests[0]?.failure;
}
