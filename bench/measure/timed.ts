import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programPath } from '../../test/support/tools.ts';
import type { Command } from './command.ts';
import { watchTree } from './tree-memory.ts';
import { parseTimes, TIME_FORMAT, type Usage } from './usage.ts';

/** How much of a failed program's words goes into the message. */
const MESSAGE_CHARACTERS = 2000;

/** A command under way. */
export interface Started {
  readonly child: ChildProcess;
  /** Throws what the command said when it fails. */
  readonly ended: Promise<Usage>;
}

/**
 * Starts a command under GNU time, which asks the kernel for the CPU of all that the command started and waited for.
 * `scratch` is a folder for time's answer. Throws the reason of a signal that has fired already.
 */
export function startTimed(
  command: Command,
  scratch: string,
  stdio: StdioOptions = ['ignore', 'ignore', 'pipe'],
): Started {
  const { signal } = command;
  signal?.throwIfAborted();
  const answer = join(scratch, `time-${crypto.randomUUID()}`);
  const words = ['--quiet', '--format', TIME_FORMAT, '--output', answer, command.program, ...command.args];
  const begin = performance.now();
  // GNU time hands no signal on, so the command is in a group of its own, which gets it whole.
  const detached = signal !== undefined;
  const child = spawn(programPath('time'), words, { env: { ...process.env, ...command.env }, stdio, detached });
  const end = (): void => endGroup(child);
  signal?.addEventListener('abort', end, { once: true });
  const ended = new Promise<Usage>((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MESSAGE_CHARACTERS);
    });
    const memory = child.pid === undefined ? undefined : watchTree(child.pid);
    child.once('error', reject);
    child.once('exit', () => {
      // Its number may be that of another group from now on.
      signal?.removeEventListener('abort', end);
      const wallSeconds = (performance.now() - begin) / 1000;
      const tree = memory?.stop() ?? 0;
      child.once('close', (code) => {
        if (signal?.aborted) reject(signal.reason);
        else if (code !== 0)
          reject(new Error(`${[command.program, ...command.args].join(' ')} ended with ${code}:\n${said}`));
        else {
          readFile(answer, 'utf8').then((text) => {
            const times = parseTimes(text);
            resolve({ wallSeconds, ...times, tree: Math.max(tree, times.largestProcess) });
          }, reject);
        }
      });
    });
  });
  return { child, ended };
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended, and nobody was told yet.
  }
}

/** Runs a command to its end and says what it took. Throws what it said when it fails, and the signal's reason when that has fired. */
export const timed = (command: Command, scratch: string): Promise<Usage> => startTimed(command, scratch).ended;
