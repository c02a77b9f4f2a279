import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { UserError } from '../core/error.ts';
import { systemCode } from '../core/file-error.ts';
import { childEnvironment } from './child-environment.ts';

/** Runs a program on this process's own terminal until it ends; gives its exit code. Rejects with UserError `file` where it cannot be started. */
export type Attach = (
  program: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
) => Promise<number>;

/** What ends a program from outside, and what containers are told by it. */
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const satisfies NodeJS.Signals[];

/** A terminal sends these to every program that it runs, so a second one would be one too many. */
const OF_TERMINALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** The program is told of the signals that this process gets, and decides when it ends; meanwhile nothing else of this process hears of them. */
export const createAttach =
  (env: NodeJS.ProcessEnv, cwd: string): Attach =>
  async (program, args, more) => {
    const child = spawn(program, args, {
      cwd,
      stdio: 'inherit',
      env: { ...childEnvironment(env, { program, isolated: false }), ...more },
    });
    const restore = passSignals(child);
    try {
      return await new Promise((resolve, reject) => {
        child.once('error', (cause) =>
          reject(new UserError('file', `cannot run ${program}: ${systemCode(cause) ?? cause.message}`, { cause })),
        );
        child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)));
      });
    } finally {
      restore();
    }
  };

function passSignals(child: ChildProcess): () => void {
  const isOnTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  const before = PASSED_ON.map((name) => ({ name, listeners: process.listeners(name) }));
  for (const { name } of before) {
    process.removeAllListeners(name);
    process.on(name, () => {
      if (!isOnTerminal || !OF_TERMINALS.includes(name)) child.kill(name);
    });
  }
  return () => {
    for (const { name, listeners } of before) {
      process.removeAllListeners(name);
      for (const listener of listeners) process.on(name, listener);
    }
  };
}
