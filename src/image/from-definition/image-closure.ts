import { fromText } from '../../core/bytes.ts';
import { UserError } from '../../core/error.ts';
import type { Definition } from '../../definition/definition.ts';
import { checkCollisions } from '../../definition/merged-root.ts';
import { storePathOf } from '../../definition/store-path.ts';
import { isHere, storeTree } from '../../layer/store-tree.ts';
import { type ReadClosure, readClosure } from '../../nix/closure.ts';
import type { Nix } from '../../nix/nix.ts';
import { realise, realiseHere } from '../../nix/realise.ts';

/** Does what has Nix build or fetch, when it is its turn. */
export type Building = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * The closure of a definition's roots, those of a base image's archive left out, and where what cannot be read at its own
 * place is to be had. What Nix knows of, in its store or in a substituter, is only asked about; what is valid nowhere is
 * built. Throws UserError `build` or `system` as Nix does, and `definition` where packages that are there collide.
 */
export async function readImageClosure(
  nix: Nix,
  definition: Definition,
  gcRootDir: string,
  building: Building = (work) => work(),
): Promise<ReadClosure> {
  const base = baseOf(definition);
  const paths = definition.roots.map((root) => root.outPath).filter((path) => path !== base);
  const known = await readClosure(nix, paths);
  if (known.missing.length === 0) return known;
  // What is there already may show that all that building would be without success.
  const isThere = (path: string): boolean => known.valid.has(path) && isHere(fromText(path));
  checkCollisions(definition.copyToRoot.filter(isThere), storeTree, definition.replaceable.filter(isThere));
  const missing = new Set(known.missing);
  const roots = definition.roots.filter((root) => missing.has(root.outPath));
  await building(() => realise(nix, roots, { gcRootDir, valid: known.valid }));
  const now = await readClosure(nix, paths);
  if (now.missing.length === 0) return now;
  throw new UserError('build', `${now.missing.join(', ')} should have been built, but Nix does not know it`, {
    hint: 'Was garbage collected meanwhile? Run the command again.',
  });
}

const baseOf = ({ fromImage }: Definition): string | undefined =>
  fromImage?.startsWith('/nix/store/') ? storePathOf(fromImage) : undefined;

/** Makes the archive of a base readable on this machine, if the definition names one in the store. */
export async function fetchBase(
  nix: Nix,
  definition: Definition,
  gcRootDir: string,
  building: Building = (work) => work(),
): Promise<void> {
  const base = baseOf(definition);
  const roots = definition.roots.filter((root) => root.outPath === base);
  if (roots.length > 0) await building(() => realiseHere(nix, roots, { gcRootDir }));
}
