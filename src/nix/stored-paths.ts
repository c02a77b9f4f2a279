import { readFile } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { nixMessage } from './failure.ts';
import type { Nix } from './nix.ts';
import { parseStoredPaths, type StoredPath } from './path-info.ts';
import { pathInfoFlags } from './version.ts';

/** Every path of Nix's store, derivations too. Throws UserError `evaluation`. */
export async function readStoredPaths(nix: Nix): Promise<readonly StoredPath[]> {
  const result = await nix.command(['path-info', '--json', ...pathInfoFlags(nix.version), '--all']);
  if (result.exitCode !== 0) throw new UserError('evaluation', `nix path-info: ${nixMessage(result.stderr)}`);
  return [...parseStoredPaths(result.stdout).values()].filter((stored) => stored !== null);
}

/** Files that are read at once. */
const READS = 16;

/** As nixpkgs' trivial builders write it, among the variables of a derivation or in its structured attributes. */
const NEVER_SUBSTITUTED = /\("allowSubstitutes",""\)|\\"allowSubstitutes\\":false/;

/**
 * Those of `drvPaths` whose outputs Nix never asks a substituter for when it needs them, because building them is quicker
 * (`allowSubstitutes = false`). A derivation that cannot be read is not among them.
 */
export async function neverSubstituted(drvPaths: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await mapParallel(drvPaths, READS, async (drvPath) => {
    const text = await readFile(drvPath, 'latin1').catch(() => '');
    return NEVER_SUBSTITUTED.test(text) ? [drvPath] : [];
  });
  return new Set(found.flat());
}
