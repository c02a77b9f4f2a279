import type { Closure } from '../image/closure.ts';
import type { Definition } from '../image/definition.ts';
import { storePathOf } from '../image/store-path.ts';
import { UserError } from '../io/error.ts';
import { readClosure } from '../nix/closure.ts';
import type { Nix } from '../nix/nix.ts';
import { realise } from '../nix/realise.ts';

/**
 * Builds or substitutes every root of a definition and returns the closure of those that stand in the image: all but
 * a base image's archive. Throws UserError `build` or `system` as Nix does.
 */
export async function imageClosure(nix: Nix, definition: Definition, gcRootDir: string): Promise<Closure> {
  await realise(nix, definition.roots, { gcRootDir });
  const base = definition.fromImage?.startsWith('/nix/store/') ? storePathOf(definition.fromImage) : undefined;
  const paths = definition.roots.map((root) => root.outPath).filter((path) => path !== base);
  const { closure, missing } = await readClosure(nix, paths);
  if (missing.length === 0) return closure;
  throw new UserError('build', `${missing.join(', ')} should have been built, but Nix does not know it`, {
    hint: 'Was garbage collected meanwhile? Run the command again.',
  });
}
