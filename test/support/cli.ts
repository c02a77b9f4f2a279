import { join } from 'node:path';
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
}

/** Runs the real command line, from source. */
export const runCli = (args: readonly string[], { root = ROOT, ...options }: CliOptions = {}): Promise<ProgramResult> =>
  runProgram(process.execPath, [join(root, 'src/main.ts'), ...args], {
    ...options,
    // A person's own logins, proxies and colours must not change what a test sees.
    env: { NIX_CONFIG: TEST_NIX_CONFIG, DOCKER_CONFIG: '/nonexistent', NO_COLOR: '1', ...options.env },
  });

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
