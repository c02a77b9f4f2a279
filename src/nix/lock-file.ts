import type { Log } from '../core/log.ts';

/** With which a flake whose flake.lock is missing or out of date is an error. */
export const REQUIRE_LOCK = '--no-update-lock-file';

/** Nothing is ever written into the user's flake. Nix refuses a stale lock file only where it would write one. */
export const lockFlags = (nixArgs: readonly string[]): readonly string[] =>
  nixArgs.includes(REQUIRE_LOCK) ? [] : ['--no-write-lock-file'];

/** What Nix says with it (the same words since Nix 2.4). */
export const needsLock = (stderr: string): boolean => stderr.includes('requires lock file changes');

/** What Nix says without it, on standard error; then it locks again for this one evaluation. */
const NOT_WRITTEN = /^warning: not writing modified lock file of flake ['"‘]?([^'"’]*)/;

/** Reads lines of standard error: warns of a lock file that is not what the evaluation used, all others are for debugging. */
export function logLine(line: string, log: Log): void {
  const flake = NOT_WRITTEN.exec(line)?.[1];
  if (flake === undefined) log.debug(line);
  else {
    log.warn(
      `flake.lock of ${flake.replace(/:$/, '')} is missing or out of date, so inputs are resolved again and two runs may ` +
        'build different images: run nix flake lock and commit the file (require-lock makes this an error)',
    );
  }
}
