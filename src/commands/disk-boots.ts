import { resolve } from 'node:path';
import type { DiskToBoot } from '../boot-test/emulator.ts';
import { BOOT_WITH_CHOICES, type BootWith, type FoundEmulator, findEmulator } from '../boot-test/find-emulator.ts';
import { whyNoKvm } from '../boot-test/probe-kvm.ts';
import { runBootTests, SWITCHED_OFF, whyNotBooted } from '../boot-test/run-boot-tests.ts';
import { systemClock } from '../core/clock.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { choice, path } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { System } from '../oci/system.ts';
import type { TestRun } from '../test-run/test-run.ts';
import { appendToJob, readOfJob } from './job-file.ts';
import { systemHere } from './system-here.ts';

/** Inputs of every command that boots disks. */
export const bootInputs = {
  bootWith: choice(BOOT_WITH_CHOICES, {
    description:
      'How QEMU runs the machine (docs/disks.md): `auto` takes KVM where a guest was seen to run under it, and else `tcg`, ' +
      'many times slower; `none` boots nothing.',
    default: 'auto',
  }),
  consoles: path({
    description: 'Folder in which what each serial console says is kept as a file. Default: none is kept.',
  }),
} as const;

export interface BootInputs {
  readonly bootWith: BootWith;
  readonly consoles: string | undefined;
}

/**
 * Runs the tests of a disk that was just made, or lies in a file. A failed test is a result. Throws what `runBootTests`
 * throws.
 */
export async function runBoots(
  definition: Pick<DiskDefinition, 'name' | 'system' | 'tests'>,
  disk: DiskToBoot,
  inputs: BootInputs,
  host: Host,
): Promise<TestRun> {
  const { exec, log, signal, fetch } = host;
  const consoleFolder = consolesOf(inputs, host);
  const find = (): Promise<FoundEmulator> => emulatorOf(host, definition.system, inputs.bootWith);
  const tempDir = await host.tempDir();
  const tools = { exec, log, signal, fetch, clock: systemClock, tempDir, findEmulator: find, consoleFolder };
  return runBootTests(definition, disk, inputs.bootWith, tools);
}

/** Why the tests of a disk cannot be run here, known before it is made; null where they can, or there are none. */
export const whyNoBoots = (
  { tests, system }: Pick<DiskDefinition, 'system' | 'tests'>,
  bootWith: BootWith,
  host: Host,
): Promise<string | null> =>
  whyNotBooted({ tests }, bootWith, { findEmulator: () => emulatorOf(host, system, bootWith) });

/** The folder of the consoles, absolute; null where none are kept. */
export const consolesOf = ({ consoles }: Pick<BootInputs, 'consoles'>, { cwd }: Pick<Host, 'cwd'>): string | null =>
  consoles === undefined ? null : resolve(cwd, consoles);

/** Looked for once in a run, for each system. */
const emulators = new WeakMap<Host, Map<System, Promise<FoundEmulator>>>();

async function emulatorOf(host: Host, system: System, bootWith: BootWith): Promise<FoundEmulator> {
  if (bootWith === 'none') return { why: SWITCHED_OFF };
  const known = emulators.get(host) ?? new Map<System, Promise<FoundEmulator>>();
  emulators.set(host, known);
  const found = known.get(system) ?? emulatorHere(host, system, bootWith);
  known.set(system, found);
  return found;
}

/** What boots disks of a system on this machine. Throws what `findEmulator` throws. */
export async function emulatorHere(
  host: Host,
  system: System,
  bootWith: Exclude<BootWith, 'none'>,
): Promise<FoundEmulator> {
  const { exec, log, signal, env } = host;
  const tools = { exec, log, signal, clock: systemClock, tempDir: await host.tempDir() };
  return findEmulator(bootWith, system, {
    ...tools,
    env,
    systemHere: systemHere(),
    probe: async (emulator) => {
      const before = (await readOfJob(host, PROBED)).trim();
      if (before !== '') return before === WORKS ? undefined : before;
      const why = await whyNoKvm(emulator, tools);
      appendToJob(host, PROBED, `${why ?? WORKS}\n`);
      return why;
    },
  });
}

/** Where the steps of a job tell each other whether KVM runs guests: a guest that gets nowhere takes 20 s. */
const PROBED = 'kvm';
const WORKS = 'works';
