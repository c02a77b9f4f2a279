// What set-up may do on this machine: run programs, find them, become root.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** A failure that the person at the machine can mend: shown as it is, without a stack. */
export class SetupError extends Error {}

/** Where programs lie that are not for everybody's PATH: administration, podman's helpers. */
const MORE_DIRECTORIES = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/lib/podman', '/usr/libexec/podman'];

/** The file of a program, or undefined. */
export function findProgram(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...MORE_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a program without a shell; its output is shown unless `quiet`.
 * @param {readonly string[]} argv
 * @param {{ quiet?: boolean, input?: string, env?: Record<string, string | undefined>, cwd?: string }} [options]
 * @returns {{ ok: boolean, stdout: string, stderr: string }} `ok` is false too when the program is missing
 */
export function run(argv, options = {}) {
  const [program, ...args] = argv;
  const output = options.quiet ? 'pipe' : 'inherit';
  const result = spawnSync(program, args, {
    // What a program prints belongs to this script's progress, not to the result of the npm script after it.
    stdio: [options.input === undefined ? 'ignore' : 'pipe', options.quiet ? 'pipe' : 2, output],
    input: options.input,
    encoding: 'utf8',
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  });
  return { ok: result.status === 0, stdout: result.stdout ?? '', stderr: result.stderr ?? String(result.error ?? '') };
}

/**
 * `argv` as root: itself, or by sudo where that asks nothing. Throws SetupError with the line to run by hand otherwise.
 * @param {readonly string[]} argv
 */
export function asRoot(argv) {
  if (process.getuid?.() === 0) return argv;
  if (run(['sudo', '-n', 'true'], { quiet: true }).ok) return ['sudo', '-n', ...argv];
  throw new SetupError(
    `this step needs root, and sudo asks for a password. Run this line and try again:\n  sudo ${argv.join(' ')}`,
  );
}

/** The project's own cache: things made once a machine. */
export function cacheDirectory() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nix-images');
}
