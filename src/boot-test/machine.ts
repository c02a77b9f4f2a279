import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { ExecResult } from '../core/exec.ts';
import { type ConsoleView, createConsole } from './console.ts';
import type { Emulator } from './emulator.ts';
import { prepareFlash } from './flash.ts';
import { createKeyboard } from './keyboard.ts';
import { machineArgs } from './qemu-args.ts';

export type MachineTools = Pick<Effects, 'exec' | 'clock' | 'signal' | 'tempDir'>;

/** A machine that runs. */
export interface Machine {
  /** Where its files are, and where QEMU runs. */
  readonly folder: string;
  readonly view: () => ConsoleView;
  readonly type: (text: string) => void;
  /** How QEMU ended; undefined while it runs, and where it was ended from here. */
  readonly ended: () => ExecResult | undefined;
  /** What QEMU says of an error after which it holds the machine. */
  readonly stuck: () => string | undefined;
}

interface MachinePlan {
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Further arguments, once what they name in the machine's folder was made. */
  readonly prepare: (folder: string) => Promise<readonly string[]>;
  /** Where the console is kept; null for nowhere. */
  readonly consoleFile: string | null;
}

/** What QEMU says when KVM cannot go on with a guest; the process stays, the guest does not run. */
const STUCK = /KVM internal error|kvm run failed|error: kvm/i;

/**
 * Starts a machine, has `work` use it, and ends it, whatever comes of that: neither process nor files are left. Throws what
 * `work` throws, UserError `file` where QEMU or a file of it is missing, `cancelled` when the run is stopped.
 */
export async function withMachine<T>(
  emulator: Emulator,
  { memoryMiB, cpus, prepare, consoleFile }: MachinePlan,
  { exec, signal, tempDir }: MachineTools,
  work: (machine: Machine) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tempDir, 'boot-'));
  const [stop, keyboard, console] = [new AbortController(), createKeyboard(), createConsole(consoleFile)];
  let running: Promise<unknown> = Promise.resolve();
  let ended: ExecResult | undefined;
  let failure: unknown;
  let stuck: string | undefined;
  try {
    const code = await prepareFlash(emulator.system, emulator.firmware, folder);
    const more = await prepare(folder);
    const args = [...machineArgs(emulator, { memoryMiB, cpus, code }), ...more];
    const onStdout = (stream: AsyncIterable<Uint8Array>): Promise<void> =>
      console.read(stream).finally(() => keyboard.close());
    const onStderrLine = (line: string): void => {
      if (STUCK.test(line)) stuck ??= line;
    };
    running = exec(emulator.program, args, {
      cwd: folder,
      // Where QEMU puts what the guest writes.
      env: { TMPDIR: folder },
      input: keyboard.blocks,
      onStdout,
      onStderrLine,
      signal: stop.signal,
    }).then(
      (result) => {
        ended = result;
      },
      (error: unknown) => {
        if (!signal.aborted && !stop.signal.aborted) failure = error;
      },
    );
    const check = (): ExecResult | undefined => {
      if (failure !== undefined) throw failure;
      if (ended && ended.exitCode !== 0) throw refused(emulator, ended);
      return ended;
    };
    const { view } = console;
    return await work({ folder, view, type: keyboard.type, ended: check, stuck: () => stuck });
  } finally {
    stop.abort();
    keyboard.close();
    await running;
    await rm(folder, { recursive: true, force: true });
    signal.throwIfAborted();
  }
}

/** QEMU ends with another code than 0 where it cannot start, or breaks; a guest cannot make it. */
function refused({ program, label }: Emulator, { exitCode, stderr }: ExecResult): UserError {
  const said = stderr.trim().split('\n').slice(-3).join('\n') || `it ended with ${exitCode}`;
  return new UserError('test', `${program} cannot run a machine: ${said}`, {
    hint: `This is ${label}. Has the machine enough memory for the guest's? --boot-with tcg tries without KVM, none leaves the tests out.`,
    docs: 'disks.md#tests',
  });
}
