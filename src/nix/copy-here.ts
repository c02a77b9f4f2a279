import { UserError } from '../core/error.ts';
import { chunks } from './chunks.ts';
import { validPaths } from './closure.ts';
import { nixMessage } from './failure.ts';
import { type Nix, storeFlags } from './nix.ts';
import { OWN_STORE, withoutSecrets } from './settings.ts';

/** Signatures are not asked for: both stores are the user's own choice, as when Nix itself builds in one of them. */
async function copy(nix: Nix, from: string, flags: readonly string[], paths: readonly string[]): Promise<void> {
  for (const chunk of chunks(paths)) {
    const args = ['copy', '--no-check-sigs', '--from', from, ...flags, ...chunk];
    const result = await nix.command(args, { onStderrLine: (line) => nix.log.debug(line) });
    if (result.exitCode === 0) continue;
    throw new UserError('build', `copying from ${withoutSecrets(from)} failed: ${nixMessage(result.stderr)}`, {
      hint: 'The store that is copied to must be writable, and its daemon must trust you.',
    });
  }
}

/**
 * Brings derivations and sources to the store that builds, where evaluations write to another one. What that other
 * store does not have is left alone. Throws UserError `build`.
 */
export async function copyEvaluated(nix: Nix, drvPaths: readonly string[], sources: readonly string[]): Promise<void> {
  const { evalStore } = nix;
  if (evalStore === undefined) return;
  const there = await validPaths(nix, [...drvPaths, ...sources], storeFlags(evalStore));
  const found = (path: string): boolean => there.has(path);
  // The flag is what makes newer versions copy a derivation, and older ones copy what a source was derived from.
  await copy(nix, evalStore, ['--derivation'], drvPaths.filter(found));
  await copy(nix, evalStore, [], sources.filter(found));
}

/** Brings paths and what they refer to from a store elsewhere to that of this machine. Throws UserError `build`. */
export const copyHere = (nix: Nix, elsewhere: string, paths: readonly string[]): Promise<void> =>
  copy(nix, elsewhere, ['--to', OWN_STORE], paths);
