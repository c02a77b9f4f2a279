import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { UserError } from '../core/error.ts';
import { systemCode } from '../core/file-error.ts';
import { childEnvironment } from './child-environment.ts';

/** Runs a program on this process's own terminal until it ends; gives its exit code. Rejects with UserError `file` where it cannot be started. */
export type Attach = (
  program: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
) => Promise<number>;

/** Ctrl-C reaches the program by itself, which then decides when it ends. */
export const createAttach =
  (env: NodeJS.ProcessEnv, cwd: string): Attach =>
  (program, args, more) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        cwd,
        stdio: 'inherit',
        env: { ...childEnvironment(env, { program, isolated: false }), ...more },
      });
      child.once('error', (cause) =>
        reject(new UserError('file', `cannot run ${program}: ${systemCode(cause) ?? cause.message}`, { cause })),
      );
      child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)));
    });
