import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commands } from '../../src/commands/index.ts';
import { runCli as runCommandLine } from '../../src/host/cli.ts';
import { openWorld } from '../../src/host/start.ts';
import { debianPackages } from '../fixtures/debian/generate.ts';
import { TEST_NIX_CONFIG } from './nix.ts';
import { type ProgramOptions, type ProgramResult, runProgram } from './tools.ts';

/** The checkout that is tested. */
export const ROOT = join(import.meta.dirname, '../..');

/** Images to build in tests; see the file itself. */
export const IMAGES = join(ROOT, 'test/fixtures/images');

export interface CliOptions extends ProgramOptions {
  /** Another checkout's source. */
  readonly root?: string;
  /** Why this run must be a process of its own, where neither `root` nor `env` says so. */
  readonly asProcess?: string;
}

/** What Node itself, its threads and the C library read of the process, whatever the run's own environment says. */
const OF_THE_PROCESS = /^(?:HOME|TMPDIR|TZ|LANG|LC_\w+|NODE_\w+)$/;

/**
 * Runs the real command line, from source: in this process, since a start from source costs more than most runs do, or as a
 * process of its own where the difference could be seen. Any number may run at once.
 */
export const runCli = (
  args: readonly string[],
  { root = ROOT, asProcess, env, ...options }: CliOptions = {},
): Promise<ProgramResult> => {
  // A person's own logins, proxies and colours must not change what a test sees.
  const own = { NIX_CONFIG: TEST_NIX_CONFIG, DOCKER_CONFIG: '/nonexistent', NO_COLOR: '1', ...env };
  const isProcess =
    asProcess !== undefined || root !== ROOT || Object.keys(own).some((name) => OF_THE_PROCESS.test(name));
  return isProcess
    ? runProgram(process.execPath, [join(root, 'src/main.ts'), ...args], { ...options, env: own })
    : runHere(args, { ...options, env: own });
};

async function runHere(args: readonly string[], { cwd = process.cwd(), env }: ProgramOptions): Promise<ProgramResult> {
  let [stdout, stderr] = ['', ''];
  const world = openWorld({
    argv: args,
    cwd,
    environment: { ...process.env, ...env },
    stdout: {
      write: (text, done) => {
        stdout += text;
        done();
      },
    },
    stderr: {
      write: (text) => {
        stderr += text;
      },
    },
    program: pathToFileURL(join(ROOT, 'src/main.ts')),
    signal: new AbortController().signal,
  });
  const exitCode = await runCommandLine(commands, world);
  return { exitCode, stdout, stderr };
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
