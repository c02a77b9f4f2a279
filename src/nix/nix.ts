import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { Exec, ExecOptions, ExecResult } from '../core/exec.ts';
import type { Log } from '../core/log.ts';
import { hasNoFiles, OWN_STORE, readStoreSettings, type StoreSettings } from './settings.ts';
import { type NixVersion, parseNixVersion } from './version.ts';

/** Stores and machines that do the work instead of this one, each as Nix's flag of that name takes it. */
export interface Elsewhere {
  /** Where images are built and kept. Default: the one of Nix's own settings. */
  readonly store?: string | undefined;
  /** Where evaluations write derivations and sources. Default: `store`, or this machine's where that has no files. */
  readonly evalStore?: string | undefined;
  /** Remote builders, or `@FILE` that lists them. */
  readonly builders?: string | undefined;
}

/** What `openNix` needs of the world. */
interface NixOptions extends Pick<Effects, 'exec' | 'log'> {
  readonly signal?: AbortSignal | undefined;
  /** Further arguments of evaluations, such as `--override-input nixpkgs path:…`. */
  readonly nixArgs?: readonly string[] | undefined;
  readonly elsewhere?: Elsewhere | undefined;
  readonly onBuild?: Nix['onBuild'];
}

/** The Nix of this machine. What its versions call things differently is settled in this folder. */
export interface Nix {
  readonly version: NixVersion;
  readonly log: Log;
  /** Arguments of evaluations. */
  readonly nixArgs: readonly string[];
  /** Where derivations and sources are before they are in the store; undefined when they are there from the start. */
  readonly evalStore: string | undefined;
  /** Is told of each derivation whose build begins; nobody is, where it is undefined. */
  readonly onBuild?: ((drvPath: string) => void) | undefined;
  /** What the settings say of stores; asked for once. */
  storeSettings(): Promise<StoreSettings>;
  /**
   * `nix ARGS`, with the commands and flakes switched on. A `--store` among `args` goes before that of this Nix. A
   * non-zero exit is a result.
   */
  command(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** `nix-store ARGS`; otherwise as `command`. */
  store(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

/** Given as an option, so that nobody's nix.conf has to say it. */
const FEATURES = ['--extra-experimental-features', 'nix-command flakes'] as const;

async function versionOf(exec: Exec, signal: AbortSignal | undefined): Promise<NixVersion> {
  const result = await exec('nix', ['--version'], { signal }).catch((cause: unknown) => {
    if (cause instanceof UserError && cause.code === 'cancelled') throw cause;
    throw new UserError('evaluation', 'cannot run nix', {
      hint: 'Install Nix (https://nixos.org/download) and make sure that nix is on PATH.',
      cause,
    });
  });
  if (result.exitCode !== 0) throw new UserError('evaluation', `nix --version failed: ${result.stderr.trim()}`);
  return parseNixVersion(result.stdout);
}

/** Flags for a call that means another store than Nix's own; none when it is undefined. */
export const storeFlags = (store: string | undefined): readonly string[] => given('store', store);

const given = (name: string, value: string | undefined): readonly string[] =>
  value === undefined ? [] : [`--${name}`, value];

/** Finds out which Nix there is. Throws UserError `evaluation` when there is none. */
export async function openNix({ exec, log, signal, nixArgs = [], elsewhere = {}, onBuild }: NixOptions): Promise<Nix> {
  const version = await versionOf(exec, signal);
  log.debug(`using ${version.text}`);
  const { store, builders } = elsewhere;
  const evalStore = elsewhere.evalStore ?? (store !== undefined && hasNoFiles(store) ? OWN_STORE : undefined);
  const flags = [...storeFlags(store), ...given('builders', builders)];
  let settings: Promise<StoreSettings> | undefined;
  const command: Nix['command'] = (args, options) =>
    exec('nix', [...FEATURES, ...flags, ...args], { signal, ...options });
  return {
    version,
    log,
    nixArgs: [...given('eval-store', evalStore), ...nixArgs],
    evalStore,
    onBuild,
    storeSettings: () => {
      settings ??= readStoreSettings({ version, log, command });
      return settings;
    },
    command,
    store: (args, options) => exec('nix-store', [...flags, ...args], { signal, ...options }),
  };
}
