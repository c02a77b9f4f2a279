import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commands } from '../../src/commands/index.ts';
import { runCli as runCommandLine } from '../../src/host/cli.ts';
import { openWorld } from '../../src/host/start.ts';
import { debianPackages } from '../fixtures/debian/generate.ts';
import { TEST_NIX_CONFIG } from './nix.ts';
import { ROOT } from './root.ts';
import type { ProgramOptions, ProgramResult } from './tools.ts';

/** Images to build in tests; see the file itself. */
export const IMAGES = join(ROOT, 'test/fixtures/images');

export interface CliOptions extends ProgramOptions {
  /** Another checkout's source. */
  readonly root?: string;
  /** File of a program made of it. Default: the source itself. */
  readonly program?: string;
  /** Stands for Ctrl-C, in this process. */
  readonly signal?: AbortSignal;
  /** Hears what is written to standard error, in this process. */
  readonly heard?: (text: string) => void;
}

/** What Node itself, its threads and the C library read of the process, whatever a run's own environment says. */
const OF_THE_PROCESS = /^(?:HOME|TMPDIR|TZ|LANG|LC_\w+|NODE_\w+)$/;

/** A person's own logins, proxies and colours must not change what a test sees. */
const neutral = (env: ProgramOptions['env']): ProgramOptions['env'] => ({
  ...{ NIX_CONFIG: TEST_NIX_CONFIG, DOCKER_CONFIG: '/nonexistent', NO_COLOR: '1' },
  ...env,
});

/**
 * Runs the real command line, from source. It runs in this process, since a start from source takes more time than most runs
 * do; as a process of its own where the difference could be seen: `asProcess` then says how, unless `root` or `env` shows it.
 * Any number may run at once.
 */
export const runCli = async (
  args: readonly string[],
  { asProcess, ...options }: CliOptions & { readonly asProcess?: string } = {},
): Promise<ProgramResult> => {
  const isOther = options.root !== undefined && options.root !== ROOT;
  const isOwnProcess = asProcess !== undefined || isOther || Object.keys(options.env ?? {}).some(isOfTheProcess);
  return await (isOwnProcess ? startCli(args, options).ended : runHere(args, options));
};

const isOfTheProcess = (name: string): boolean => OF_THE_PROCESS.test(name);

/** A command line that was started as a process. */
export interface RunningCli {
  readonly process: ChildProcess;
  /** What it has written to standard error so far. */
  stderr(): string;
  readonly ended: Promise<ProgramResult>;
}

/** Starts the command line as a process of its own, for tests that look at it or send it signals. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const { root = ROOT, program = join(root, 'src/main.ts'), cwd, env } = options;
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: { ...process.env, ...neutral(env) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  // A signal that ended it has no code.
  const ended = once(child, 'close').then(([code]) => ({ exitCode: code ?? -1, stdout, stderr }));
  return { process: child, stderr: () => stderr, ended };
}

async function runHere(args: readonly string[], options: CliOptions): Promise<ProgramResult> {
  const { cwd = process.cwd(), env, signal = new AbortController().signal, heard } = options;
  const { streams, said } = capture(heard);
  const world = openWorld({
    argv: args,
    cwd,
    environment: { ...process.env, ...neutral(env) },
    ...streams,
    program: pathToFileURL(join(ROOT, 'src/main.ts')),
    signal,
  });
  const exitCode = await runCommandLine(commands, world);
  return { exitCode, ...said() };
}

/** Streams of a command that runs in this process, and what was written to them; `heard` is told of errors at once. */
export function capture(heard?: (text: string) => void) {
  let [stdout, stderr] = ['', ''];
  const streams = {
    stdout: {
      write: (text: string, done: () => void) => {
        stdout += text;
        done();
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
        heard?.(text);
      },
    },
  };
  return { streams, said: () => ({ stdout, stderr }) };
}

/** The same, for data: fails with what the command said when it did not succeed. */
export async function cliData<T>(args: readonly string[], options: CliOptions = {}): Promise<T> {
  const { exitCode, stdout, stderr } = await runCli([...args, '--json'], options);
  if (exitCode !== 0) throw new Error(`nix-images ${args.join(' ')} ended with ${exitCode}:\n${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Words that choose one of the test images: `--file … -A NAME`; `settings` are further arguments of the file there. */
export async function testImage(name: string, settings: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const all = Object.entries({ packages: await debianPackages(), ...settings });
  const nixArgs = all.flatMap(([key, value]) => ['--argstr', key, value]);
  return ['--file', IMAGES, '--attr', name, ...nixArgs.map((argument) => `--nix-arg=${argument}`)];
}

/** What `publish --json` prints, as far as tests look at it. */
export interface Published {
  readonly digest: string;
  readonly platforms: readonly {
    readonly system: string;
    readonly platform: string;
    readonly digest: string;
    readonly layers: number;
    readonly compressedSize: number;
    readonly bytesSent: number;
  }[];
  readonly destinations: readonly {
    readonly name: string;
    readonly tags: readonly string[];
    readonly bytesSent: number;
  }[];
}
