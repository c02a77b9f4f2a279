import type { Emulator } from './emulator.ts';
import { type MachineTools, withMachine } from './machine.ts';

/** Seconds for firmware to begin to speak: under KVM it takes one, on a busy machine three. */
const LIMIT = 20;

/** Milliseconds between two looks. */
const PAUSE = 50;

/** What firmware needs at least, in MiB, and as many processors as most tests have: the second one is started, too. */
const MEMORY = 256;
const CPUS = 2;

/**
 * Why KVM runs no guests here; undefined where it does. /dev/kvm may open and every step of making a machine succeed, where
 * it is nested or stands for something else, and yet no guest gets further than its first instructions; a few instructions
 * in real mode say nothing either. So the firmware of the tests is started without a disk, and must have started
 * its console.
 */
export async function whyNoKvm(emulator: Emulator, tools: MachineTools): Promise<string | undefined> {
  const { clock, signal } = tools;
  const started = clock.now();
  const plan = { memoryMiB: MEMORY, cpus: CPUS, prepare: async () => [], consoleFile: null };
  const machine = { ...emulator, accelerator: 'kvm' } as const;
  try {
    return await withMachine(machine, plan, tools, async ({ view, ended, stuck }) => {
      while (clock.now() - started < LIMIT * 1000) {
        if (view().text.trim() !== '') return undefined;
        const why = stuck();
        if (why !== undefined) return why;
        if (ended()) return 'a guest ended without a word';
        await clock.sleep(PAUSE, signal);
      }
      return `a guest did not get anywhere within ${LIMIT} s`;
    });
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? (error.message.split('\n').at(-1) ?? error.message) : String(error);
  }
}
