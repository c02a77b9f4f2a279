import { UserError } from '../core/error.ts';
import type { Root } from '../definition/definition.ts';
import { type Nix, storeFlags } from './nix.ts';

/**
 * Where two derivations of one name meet in one string, pure evaluation cannot tell which path is whose, and
 * `nix/lib/roots.nix` pairs each with each. Here the derivations are read and the wrong pairs dropped.
 */

function ambiguousPaths(roots: readonly Root[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const doubled = new Set<string>();
  for (const { outPath, drvPath } of roots) {
    if (drvPath === null) continue;
    if (seen.has(outPath)) doubled.add(outPath);
    seen.add(outPath);
  }
  return doubled;
}

/** Output paths of a derivation, or undefined when it is no longer in the store. */
async function outputsOf(nix: Nix, drvPath: string): Promise<readonly string[] | undefined> {
  const result = await nix.store([...storeFlags(nix.evalStore), '--query', '--outputs', drvPath]);
  return result.exitCode === 0 ? result.stdout.split('\n').filter((line) => line !== '') : undefined;
}

/**
 * The definition without the pairs of derivation and path that do not belong together. Asks nix only where there
 * are such pairs. Throws UserError `evaluation` when a path would lose its last derivation.
 */
export async function settleRoots<D extends { readonly name: string; readonly roots: readonly Root[] }>(
  nix: Nix,
  definition: D,
): Promise<D> {
  const ambiguous = ambiguousPaths(definition.roots);
  if (ambiguous.size === 0) return definition;
  const candidates = definition.roots.filter(({ outPath }) => ambiguous.has(outPath));
  const outputs = new Map<string, readonly string[] | undefined>();
  for (const { drvPath } of candidates) {
    if (drvPath !== null && !outputs.has(drvPath)) outputs.set(drvPath, await outputsOf(nix, drvPath));
  }
  const belongs = ({ drvPath, outPath }: Root): boolean =>
    drvPath === null || !ambiguous.has(outPath) || (outputs.get(drvPath)?.includes(outPath) ?? true);
  const roots = definition.roots.filter(belongs);
  const lost = [...ambiguous].find((path) => !roots.some(({ outPath }) => outPath === path));
  if (lost === undefined) return { ...definition, roots };
  throw new UserError('evaluation', `${definition.name}: no derivation of it makes ${lost}`, {
    hint: 'List the package by itself (copyToRoot, store), or name it in a string of its own.',
  });
}
