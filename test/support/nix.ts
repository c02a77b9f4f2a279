import { execFileSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { findNixVersions } from '../../scripts/setup/nix-versions.mjs';
import type { Log } from '../../src/core/log.ts';
import { createExec } from '../../src/host/exec.ts';
import { type Elsewhere, type Nix, openNix } from '../../src/nix/nix.ts';
import { memoryLog } from './memory-log.ts';

/** A Nix that tests run against. */
export interface NixUnderTest {
  /** Its real version, such as `nix 2.34.8`. */
  readonly label: string;
  /** Folder of its programs; empty for the machine's own, which is on PATH. */
  readonly binDir: string;
  /** What to add to the environment to use it. */
  readonly env: Readonly<Record<string, string>>;
}

/** A Nix that could not be had here. */
export interface NixNotRun {
  readonly suite: string;
  readonly reason: string;
}

/**
 * Settings for a machine without daemon, build users and network. No experimental feature is switched on: the code
 * under test must ask for what it needs. `extra-platforms` lets emulated or foreign builds run here.
 */
export const TEST_NIX_CONFIG = [
  'experimental-features =',
  'sandbox = false',
  'sandbox-paths =',
  'substituters =',
  'build-users-group =',
  'extra-platforms = aarch64-linux',
  '',
].join('\n');

const underTest = (binDir: string): NixUnderTest => {
  const path = [binDir, process.env.PATH ?? ''].filter((part) => part !== '').join(delimiter);
  const env = { PATH: path, NIX_CONFIG: TEST_NIX_CONFIG };
  const version = execFileSync('nix', ['--version'], { env: { ...process.env, ...env }, encoding: 'utf8' });
  return { label: `nix ${version.trim().split(' ').at(-1)}`, binDir, env };
};

/** The machine's own Nix and those that set-up unpacked beside it, the machine's first. */
export const nixVersionsUnderTest = (): readonly NixUnderTest[] => [
  underTest(''),
  ...findNixVersions().flatMap((found) => ('binDir' in found ? [underTest(found.binDir)] : [])),
];

/** Versions that cannot be tested on this machine, for a test whose title says so. */
export const nixVersionsNotRun = (): readonly NixNotRun[] =>
  findNixVersions().flatMap((found) => ('reason' in found ? [found] : []));

/** Opens one of the versions under test; `env` goes before what the version itself needs. */
export const openNixUnderTest = (
  { env }: NixUnderTest,
  options: {
    readonly env?: Record<string, string>;
    readonly nixArgs?: readonly string[];
    readonly elsewhere?: Elsewhere;
    readonly log?: Log;
    readonly onBuild?: Nix['onBuild'];
  } = {},
): Promise<Nix> =>
  openNix({
    exec: createExec({ env: { ...process.env, ...env, ...options.env }, signal: new AbortController().signal }),
    log: options.log ?? memoryLog(),
    nixArgs: options.nixArgs,
    elsewhere: options.elsewhere,
    onBuild: options.onBuild,
  });
