import { setTimeout as wait } from 'node:timers/promises';
import { UserError } from '../../src/core/error.ts';
import type { Exec, ExecOptions } from '../../src/core/exec.ts';
import type { Clock } from '../../src/core/retry.ts';

/** A machine of a test: what it says, and what was typed. */
export interface PretendMachine {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly say: (text: string) => void;
  /** Says a line on QEMU's own standard error. */
  readonly complain: (line: string) => void;
  /** Waits until what was typed matches, and takes it off with all before it. */
  readonly typed: (pattern: RegExp) => Promise<RegExpExecArray>;
}

/** What a machine does; the number is QEMU's exit code, without one it runs until it is ended. */
type Script = (machine: PretendMachine) => Promise<number | undefined>;

export interface PretendQemu {
  readonly exec: Exec;
  /** Arguments of each machine. */
  readonly starts: (readonly string[])[];
  /** Calls of qemu-img. */
  readonly images: (readonly string[])[];
  /** How many machines run. */
  running(): number;
}

/** QEMU as the code sees it: a program whose console is standard output and input, and that ends when it is told to. */
export function pretendQemu(script: Script, version = 'QEMU emulator version 9.2.1 (Debian 1:9.2.1)\n'): PretendQemu {
  const starts: (readonly string[])[] = [];
  const images: (readonly string[])[] = [];
  let count = 0;
  const exec: Exec = async (program, args, options = {}) => {
    if (args[0] === '--version') return { exitCode: version === '' ? 1 : 0, stdout: version, stderr: '' };
    if (program === 'qemu-img') {
      images.push(args);
      return { exitCode: 0, stdout: '', stderr: '' };
    }
    starts.push(args);
    count += 1;
    try {
      return await run(script, args, options);
    } finally {
      count -= 1;
    }
  };
  return { exec, starts, images, running: () => count };
}

async function run(script: Script, args: readonly string[], options: ExecOptions) {
  const { input, onStdout, onStderrLine, signal, cwd = '' } = options;
  const said: Buffer[] = [];
  let [typed, isOver] = ['', false];
  const errors: string[] = [];
  const stdout = async function* (): AsyncGenerator<Uint8Array> {
    while (!isOver || said.length > 0) {
      const next = said.shift();
      if (next) yield next;
      else await wait(1);
    }
  };
  const typing = (async (): Promise<void> => {
    for await (const block of input as AsyncIterable<Uint8Array>) typed += Buffer.from(block).toString();
  })();
  const reading = onStdout?.(stdout());
  const machine: PretendMachine = {
    args,
    cwd,
    say: (text) => said.push(Buffer.from(text)),
    complain: (line) => {
      errors.push(line);
      onStderrLine?.(line);
    },
    typed: async (pattern) => {
      for (;;) {
        const found = pattern.exec(typed);
        if (found) {
          typed = typed.slice(found.index + found[0].length);
          return found;
        }
        if (signal?.aborted) return new Promise(() => undefined);
        await wait(1);
      }
    },
  };
  const ended = Promise.withResolvers<undefined>();
  signal?.addEventListener('abort', () => ended.resolve(undefined), { once: true });
  const exitCode = await Promise.race([script(machine).then((code) => code ?? ended.promise), ended.promise]);
  isOver = true;
  await reading;
  await typing;
  if (exitCode === undefined) throw new UserError('cancelled', 'qemu was stopped');
  return { exitCode, stdout: '', stderr: errors.join('\n') };
}

/** A clock on which a second takes ten milliseconds. */
export const quickClock = (): Clock => ({
  now: () => performance.now() * 100,
  sleep: (ms, signal) => wait(ms / 100, undefined, signal ? { signal } : {}),
  random: () => 0.5,
});
