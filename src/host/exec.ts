import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { type ExecaError, execa } from 'execa';
import { UserError } from '../io/error.ts';
import type { Exec, ExecOptions } from '../io/exec.ts';
import { createStderrReader, createStdoutReader, STDOUT_LIMIT } from './child-output.ts';

/** Milliseconds a child has to clean up between SIGINT and SIGKILL; GitHub's runner grants 7.5 s in all. */
const GRACE = 5000;

const INSTALL: Readonly<Record<string, string>> = {
  nix: 'Install Nix (https://nixos.org/download), or put its bin folder on PATH.',
  qemu: 'Install QEMU from your distribution, or put it on PATH.',
};

const installHint = (program: string): string => {
  const name = program.split('/').at(-1) ?? program;
  const known = Object.keys(INSTALL).find((prefix) => name === prefix || name.startsWith(`${prefix}-`));
  return INSTALL[known ?? ''] ?? `Install ${name}, or put the folder that holds it on PATH.`;
};

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
};

/** Why the program could not be started. */
const startError = async (program: string, cwd: string | undefined, error: ExecaError): Promise<UserError> => {
  if (cwd !== undefined && !(await isFolder(cwd))) {
    return new UserError('file', `cannot run ${program} in ${cwd}: there is no such folder`);
  }
  if (error.code === 'ENOENT') {
    return new UserError('file', `cannot run ${program}: no such program`, { hint: installHint(program) });
  }
  if (error.code === 'E2BIG') return new UserError('file', `cannot run ${program}: its arguments are too long`);
  const hint = error.code === 'EACCES' ? 'Check that the file is executable.' : undefined;
  const reason = error.originalMessage ?? error.shortMessage;
  return new UserError('file', `cannot run ${program}: ${reason}`, hint === undefined ? {} : { hint });
};

/** 128 + signal, as shells say it, for a child that a signal ended. */
const signalExit = (signal: string | undefined): number =>
  128 + (constants.signals[signal as NodeJS.Signals] ?? constants.signals.SIGKILL);

const tooMuch = (program: string): UserError =>
  new UserError('file', `${program} wrote more than ${STDOUT_LIMIT / 1024 ** 2} MiB to standard output`, {
    hint: 'No answer that large is expected: run the command by hand to see what it prints.',
  });

const start = (
  program: string,
  args: readonly string[],
  options: ExecOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
) =>
  execa(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    env: { ...env, ...options.env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    // Both are read here: standard error line by line, standard output with a limit in bytes.
    buffer: false,
    cancelSignal: signal,
    killSignal: 'SIGINT',
    forceKillAfterDelay: GRACE,
  });

/** Runs programs with `env` as their environment, and ends those still running when `signal` fires. */
export const createExec =
  ({ env, signal: runSignal }: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal }): Exec =>
  async (program, args, options = {}) => {
    const signal = options.signal === undefined ? runSignal : AbortSignal.any([runSignal, options.signal]);
    const cancelled = () => new UserError('cancelled', `${program} was stopped`, { cause: signal.reason });
    if (signal.aborted) throw cancelled();
    const child = start(program, args, options, env, signal);
    const errors = createStderrReader(options.onStderrLine ?? (() => {}));
    const output = createStdoutReader(() => child.kill());
    child.stderr.on('data', errors.push);
    child.stdout.on('data', output.push);
    child.nodeChildProcess.once('exit', () => {
      if (!signal.aborted && !output.overflown) return;
      // A grandchild may hold the pipes open long after the child is gone; nobody waits for its output now.
      child.stdout.destroy();
      child.stderr.destroy();
    });
    const { exitCode, signal: endedBy, ...rest } = await child;
    const stderr = errors.end();
    if (signal.aborted) throw cancelled();
    if (output.overflown) throw tooMuch(program);
    if (exitCode !== undefined) return { exitCode, stdout: output.text(), stderr };
    if (endedBy !== undefined) return { exitCode: signalExit(endedBy), stdout: output.text(), stderr };
    throw await startError(program, options.cwd, rest as ExecaError);
  };
