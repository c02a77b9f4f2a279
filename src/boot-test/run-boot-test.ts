import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { DiskTest } from '../definition/disk-tests.ts';
import { askPort, expectation, type PortTools } from '../test-run/ask-port.ts';
import type { Mismatch } from '../test-run/check-text.ts';
import { lastLines, type TestFailure, type TestResult } from '../test-run/test-run.ts';
import { type Booted, followConsole, waitFor, waitForPrompt } from './booted.ts';
import { runCommands } from './console-commands.ts';
import type { DiskToBoot, Emulator } from './emulator.ts';
import { fetchWithin } from './fetch-within.ts';
import { type Machine, type MachineTools, withMachine } from './machine.ts';
import { diskArgs, enlargeArgs, FILES } from './qemu-args.ts';
import { forwardedPort, isTaken, openMonitor } from './qmp.ts';

/** Milliseconds between two looks for the port. */
const PAUSE = 100;

const GIB = 2 ** 30;

export interface BootTools extends MachineTools, PortTools {}

interface BootPlan {
  readonly emulator: Emulator;
  readonly disk: DiskToBoot;
  /** Where the console is kept; null for nowhere. */
  readonly consoleFile: string | null;
}

/** What went wrong, and what ran when it did. */
type Failed = Pick<TestFailure, 'command' | 'expected' | 'got'>;

/**
 * Boots a disk in a machine of its own, which is gone afterwards, whatever comes of it, and looks whether all holds that the
 * test says. A test that fails or reaches its time limit is a result. Throws UserError `test` where QEMU itself fails, `file`
 * where a program or file of it is missing, `cancelled` when `signal` fires.
 */
export async function runBootTest(
  name: string,
  test: DiskTest,
  { emulator, disk, consoleFile }: BootPlan,
  tools: BootTools,
): Promise<TestResult> {
  const { clock, signal } = tools;
  const started = clock.now();
  const [limit, done] = [new AbortController(), new AbortController()];
  clock.sleep(test.timeout * 1000, done.signal).then(
    () => limit.abort(),
    () => undefined,
  );
  const { memoryMiB, cpus, diskGiB, port } = test;
  const prepare = async (folder: string): Promise<readonly string[]> => {
    if (diskGiB !== null) await enlarge(disk, diskGiB, folder, tools);
    return diskArgs({ disk, isEnlarged: diskGiB !== null, port: port?.number ?? null });
  };
  const plan = { memoryMiB, cpus, prepare, consoleFile };
  try {
    const failure = await withMachine(emulator, plan, tools, async (machine): Promise<TestFailure | null> => {
      const over = AbortSignal.any([signal, limit.signal]);
      const booted = { machine, never: test.never, clock, over, timeout: test.timeout };
      const failed = await follow(booted, test, machine, tools);
      if (!failed) return null;
      return { command: 'booting the disk', ...failed, output: lastLines(machine.view().text) };
    });
    // A machine's clock may be set back meanwhile.
    const milliseconds = Math.max(0, Math.round(clock.now() - started));
    return { name, passed: failure === null, milliseconds, failure };
  } finally {
    done.abort();
  }
}

/** What a test says, one after another; the first that does not hold. */
async function follow(
  booted: Booted,
  test: DiskTest,
  { folder }: Pick<Machine, 'folder'>,
  tools: BootTools,
): Promise<(Partial<Failed> & Mismatch) | undefined> {
  const said = await followConsole(booted, test.console);
  if (said) return said;
  if (test.prompt) {
    const prompt = await waitForPrompt(booted, 0);
    if ('mismatch' in prompt) return prompt.mismatch;
  }
  if (test.commands.length > 0) {
    const failed = await runCommands(booted, test, () => randomUUID().slice(0, 8));
    if (failed) return { command: failed.command, ...failed.mismatch };
  }
  return test.port === null ? undefined : reachPort(booted, test.port, join(folder, FILES.monitor), tools);
}

/** Asks the port while the console is watched for what ends the waiting. */
async function reachPort(
  booted: Booted,
  port: NonNullable<DiskTest['port']>,
  socket: string,
  { fetch, clock }: PortTools,
): Promise<Mismatch | undefined> {
  const answered = new AbortController();
  const over = AbortSignal.any([booted.over, answered.signal]);
  const gone = new AbortController();
  const stop = AbortSignal.any([over, gone.signal]);
  const watching = waitFor<undefined>({ ...booted, over }, expectation(port), () =>
    answered.signal.aborted ? { found: undefined } : undefined,
  ).finally(() => gone.abort());
  watching.catch(() => undefined);
  const monitor = await openMonitor(socket, clock, stop);
  try {
    const hostPort = monitor && (await portOf(port.number));
    const mismatch =
      hostPort === undefined
        ? { expected: expectation(port), got: 'no answer' }
        : await askPort(port, hostPort, { fetch: fetchWithin(fetch), clock, isTaken: taken }, stop);
    const hasEnded = gone.signal.aborted;
    answered.abort();
    const watched = await watching;
    // What the console says explains why nobody answers; at the time limit it is the other way round.
    if ('mismatch' in watched && (!mismatch || (hasEnded && !booted.over.aborted))) return watched.mismatch;
    return mismatch && booted.over.aborted
      ? { ...mismatch, got: `${mismatch.got} within ${booted.timeout} s` }
      : mismatch;
  } finally {
    answered.abort();
    monitor?.close();
  }
  async function portOf(number: number): Promise<number | undefined> {
    while (monitor && !stop.aborted) {
      const found = forwardedPort(await monitor.network(), number);
      if (found !== undefined) return found;
      await clock.sleep(PAUSE, stop).catch(() => undefined);
    }
    return undefined;
  }
  async function taken(): Promise<boolean> {
    return monitor !== undefined && isTaken(await monitor.network(), port.number);
  }
}

async function enlarge(disk: DiskToBoot, gib: number, cwd: string, { exec, signal }: MachineTools): Promise<void> {
  if (gib * GIB < disk.size) {
    throw new UserError(
      'definition',
      `a test boots the disk with ${gib} GiB, and it has ${disk.size / GIB} GiB already`,
      {
        hint: 'Give diskGiB at least the size of the disk, or leave it out.',
        docs: 'disks.md#tests',
      },
    );
  }
  const { exitCode, stderr } = await exec('qemu-img', enlargeArgs(disk, gib), { cwd, signal });
  if (exitCode !== 0) throw new UserError('test', `qemu-img cannot enlarge the disk: ${stderr.trim()}`);
}
