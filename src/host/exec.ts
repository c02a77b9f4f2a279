import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { type ExecaError, execa } from 'execa';
import { UserError } from '../core/error.ts';
import type { Exec, ExecOptions } from '../core/exec.ts';
import { childEnvironment } from './child-environment.ts';
import { feed, isBlocks } from './child-input.ts';
import { createStderrReader, createStdoutReader, STDOUT_LIMIT } from './child-output.ts';

/** Milliseconds a child has to clean up between SIGINT and SIGKILL; GitHub's runner grants 7.5 s in all. */
const GRACE = 5000;

const INSTALL: Readonly<Record<string, string>> = {
  nix: 'Install Nix (https://nixos.org/download), or put its bin folder on PATH.',
  qemu: 'Install QEMU from your distribution, or put it on PATH.',
  igzip: 'Install isal (Debian, Ubuntu) or isa-l (nixpkgs), or take compression = "gzip", which needs no program.',
  pigz: 'Install pigz (Debian, Ubuntu, nixpkgs), or take compression = "gzip", which needs no program.',
};

function installHint(program: string): string {
  const name = program.split('/').at(-1) ?? program;
  const known = Object.keys(INSTALL).find((prefix) => name === prefix || name.startsWith(`${prefix}-`));
  return INSTALL[known ?? ''] ?? `Install ${name}, or put the folder that holds it on PATH.`;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Why the program could not be started. */
async function startError(program: string, cwd: string | undefined, error: ExecaError): Promise<UserError> {
  if (cwd !== undefined && !(await isFolder(cwd))) {
    return new UserError('file', `cannot run ${program} in ${cwd}: no such folder`);
  }
  if (error.code === 'ENOENT') {
    return new UserError('file', `cannot run ${program}: no such program`, { hint: installHint(program) });
  }
  if (error.code === 'E2BIG') return new UserError('file', `cannot run ${program}: its arguments are too long`);
  const hint = error.code === 'EACCES' ? 'Check that the file is executable.' : undefined;
  const reason = error.originalMessage ?? error.shortMessage;
  return new UserError('file', `cannot run ${program}: ${reason}`, hint === undefined ? {} : { hint });
}

/** 128 + signal, as shells say it, for a child that a signal ended. */
const signalExit = (signal: string | undefined): number =>
  128 + (constants.signals[signal as NodeJS.Signals] ?? constants.signals.SIGKILL);

const tooMuch = (program: string): UserError =>
  new UserError('file', `${program} wrote more than ${STDOUT_LIMIT / 1024 ** 2} MiB to standard output`, {
    hint: 'Such a large answer is not expected: run the command by hand to see what it prints.',
  });

function stdinOf(input: ExecOptions['input']) {
  if (input === undefined) return { stdin: 'ignore' as const };
  return isBlocks(input) ? { stdin: 'pipe' as const } : { input };
}

const unread = (program: string, stderr: string): UserError =>
  new UserError('file', `${program} ended before it had read all of its input${stderr && `: ${stderr.trim()}`}`);

/** Where programs run. */
interface Surroundings {
  /** This program's own environment. */
  readonly env: NodeJS.ProcessEnv;
  /** The folder, where a call names none. */
  readonly cwd: string;
}

const start = (
  program: string,
  args: readonly string[],
  options: ExecOptions & { readonly signal: AbortSignal },
  { env, cwd }: Surroundings,
) =>
  execa(program, args, {
    cwd: options.cwd ?? cwd,
    ...stdinOf(options.input),
    env: { ...childEnvironment(env, { program, isolated: options.isolated ?? false }), ...options.env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    // Both are read here: standard error line by line, standard output with a limit in bytes.
    buffer: false,
    cancelSignal: options.signal,
    killSignal: 'SIGINT',
    forceKillAfterDelay: GRACE,
  });

type Child = ReturnType<typeof start>;

/** Has `read` read standard output. Unread output must not keep the child waiting. */
async function handOver(child: Child, read: NonNullable<ExecOptions['onStdout']>): Promise<void> {
  // execa lets output flow away that nobody has begun to read by the next tick, unless it is paused.
  child.stdout.pause();
  try {
    await read(child.stdout);
  } finally {
    child.stdout.destroy();
  }
}

/** Moves what is streamed in and out, and ends the child when what writes or reads on our side throws. Never rejects. */
async function streaming(child: Child, { input, onStdout }: ExecOptions) {
  const orEnd = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      child.kill();
      throw error;
    });
  const [fed, read] = await Promise.allSettled([
    isBlocks(input) && child.stdin ? orEnd(feed(input, child.stdin)) : true,
    onStdout && orEnd(handOver(child, onStdout)),
  ]);
  return {
    failure: [fed, read].find((end) => end.status === 'rejected'),
    tookAll: fed.status === 'fulfilled' && fed.value,
  };
}

/**
 * Runs programs, in `cwd` (default: this process's folder) where a call names no other, and ends those still running when
 * `signal` fires. Of `env`, which is this program's own environment, each sees what `childEnvironment` lets it see.
 */
export const createExec =
  ({
    env,
    cwd = process.cwd(),
    signal: runSignal,
  }: Pick<Surroundings, 'env'> & Partial<Surroundings> & { readonly signal: AbortSignal }): Exec =>
  async (program, args, options = {}) => {
    const signal = AbortSignal.any([
      ...(options.cleanup ? [] : [runSignal]),
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const cancelled = () => new UserError('cancelled', `${program} was stopped`, { cause: signal.reason });
    if (signal.aborted) throw cancelled();
    const child = start(program, args, { ...options, signal }, { env, cwd });
    const errors = createStderrReader(options.onStderrLine ?? (() => {}));
    const output = createStdoutReader(() => child.kill());
    child.stderr.on('data', errors.push);
    if (!options.onStdout) child.stdout.on('data', output.push);
    const streams = streaming(child, options);
    child.nodeChildProcess.once('exit', () => {
      if (!signal.aborted && !output.overflown) return;
      // A grandchild may hold the pipes open long after the child is gone; nobody waits for its output now.
      child.stdout.destroy();
      child.stderr.destroy();
    });
    const { exitCode, signal: endedBy, ...rest } = await child;
    const { failure, tookAll } = await streams;
    const stderr = errors.end();
    if (signal.aborted) throw cancelled();
    if (output.overflown) throw tooMuch(program);
    const code = exitCode ?? (endedBy === undefined ? undefined : signalExit(endedBy));
    // A program that never ran has no output to be judged.
    if (code === undefined) throw await startError(program, options.cwd, rest as ExecaError);
    if (failure) throw failure.reason;
    if (code === 0 && !tookAll) throw unread(program, stderr);
    return { exitCode: code, stdout: output.text(), stderr };
  };

/** The same where there is no world to take the environment from: on a layer's thread. */
export const execOfProcess = (signal: AbortSignal): Exec => createExec({ env: process.env, signal });
