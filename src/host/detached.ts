import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withFileErrors } from '../core/file-error.ts';
import { processStart } from '../storage/layout/layout-lock.ts';

/** A process that lives on when this one has ended. Ids are used again, so the id alone names none. */
interface DetachedProcess {
  readonly pid: number;
  /** When it began, as the kernel counts. */
  readonly started: string;
}

/** Milliseconds between two looks at a process. */
const LOOK_EVERY = 20;

/** Milliseconds that a process has to end by itself. */
const GRACE = 5000;

interface DetachedOptions {
  /** This program's entry. */
  readonly program: URL;
  readonly args: readonly string[];
  /** Variables beside all of this process's: it is this program, and may need what children of others do not get. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets what it writes; the terminal or the step that started it may be gone. */
  readonly logFile: string;
}

/** A detached process that was started just now. */
interface StartedProcess extends DetachedProcess {
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/** Starts this program again, as a process of its own. Throws UserError `file` when the log cannot be written. */
export async function startDetached({ program, args, env, logFile }: DetachedOptions): Promise<StartedProcess> {
  await using log = await withFileErrors(logFile, 'write', () => open(logFile, 'a', 0o600));
  const child = spawn(process.execPath, [fileURLToPath(program), ...args], {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  const ended = once(child, 'exit').then(
    () => undefined,
    () => undefined,
  );
  child.unref();
  const pid = child.pid ?? 0;
  return { pid, started: (pid > 0 && (await processStart(pid))) || '', ended };
}

/** Whether it still runs, and is not another that got its id. */
const isRunning = async ({ pid, started }: DetachedProcess): Promise<boolean> =>
  (await processStart(pid)) === started && pid > 1;

/**
 * Ends a process: by SIGTERM, and by SIGKILL when it has not ended in five seconds. Does nothing when it has ended before;
 * another process that got its id is left alone. Says which of these it was.
 */
export async function endDetached(one: DetachedProcess): Promise<'ended' | 'killed' | 'gone'> {
  if (!(await isRunning(one))) return 'gone';
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(one.pid, signal);
    } catch {
      // It ended in this very moment.
    }
  };
  send('SIGTERM');
  for (let waited = 0; waited < GRACE; waited += LOOK_EVERY) {
    await setTimeout(LOOK_EVERY);
    if (!(await isRunning(one))) return 'ended';
  }
  send('SIGKILL');
  return 'killed';
}
