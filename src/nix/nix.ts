import { UserError } from '../io/error.ts';
import type { Exec, ExecOptions, ExecResult } from '../io/exec.ts';
import type { Log } from '../io/log.ts';
import { type NixVersion, parseNixVersion } from './version.ts';

/** What `openNix` needs of the world. */
export interface NixOptions {
  readonly exec: Exec;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
  /** Further arguments of evaluations, such as `--override-input nixpkgs path:…`. */
  readonly nixArgs?: readonly string[] | undefined;
}

/** The Nix of this machine. What its versions call things differently is settled in this folder. */
export interface Nix {
  readonly version: NixVersion;
  readonly log: Log;
  readonly nixArgs: readonly string[];
  /** `nix ARGS`, with the commands and flakes switched on. A non-zero exit is a result. */
  command(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** `nix-store ARGS`. A non-zero exit is a result. */
  store(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

/** Given as an option, so that nobody's nix.conf has to say it. */
const FEATURES = ['--extra-experimental-features', 'nix-command flakes'] as const;

const versionOf = async (exec: Exec, signal: AbortSignal | undefined): Promise<NixVersion> => {
  const result = await exec('nix', ['--version'], { signal }).catch((cause: unknown) => {
    if (cause instanceof UserError && cause.code === 'cancelled') throw cause;
    throw new UserError('evaluation', 'nix cannot be started', {
      hint: 'install Nix (https://nixos.org/download) and make sure that nix is on PATH',
      cause,
    });
  });
  if (result.exitCode !== 0) throw new UserError('evaluation', `nix --version failed: ${result.stderr.trim()}`);
  return parseNixVersion(result.stdout);
};

/** Finds out which Nix there is. Throws UserError `evaluation` when there is none. */
export const openNix = async ({ exec, log, signal, nixArgs = [] }: NixOptions): Promise<Nix> => {
  const version = await versionOf(exec, signal);
  log.debug(`using ${version.text}`);
  return {
    version,
    log,
    nixArgs,
    command: (args, options) => exec('nix', [...FEATURES, ...args], { signal, ...options }),
    store: (args, options) => exec('nix-store', args, { signal, ...options }),
  };
};
