import type { Answered } from '../../core/asked-together.ts';
import { fromText } from '../../core/bytes.ts';
import { UserError } from '../../core/error.ts';
import type { Definition } from '../../definition/definition.ts';
import { checkCollisions } from '../../definition/merged-root.ts';
import { storePathOf } from '../../definition/store-path.ts';
import { isHere, storeTree } from '../../layer/store-tree.ts';
import { type ReadClosure, readClosures } from '../../nix/closure.ts';
import type { Nix } from '../../nix/nix.ts';
import { realiseHere } from '../../nix/realise.ts';
import { realiseEach } from '../../nix/realise-each.ts';

/** Does what has Nix build or fetch, when it is its turn. */
export type Building = <T>(work: () => Promise<T>) => Promise<T>;

/** A definition's closure, and how it is kept. */
export interface ImageClosure extends ReadClosure {
  /** Keeps what the store has of it from the garbage collector, where others are kept with it; false where that did not succeed. */
  readonly keep?: () => Promise<boolean>;
}

/**
 * The closure of a definition's roots, those of a base image's archive left out, and where what cannot be read at its own
 * place is to be had. What Nix knows of, in its store or in a substituter, is only asked about; what is valid nowhere is
 * built. Throws UserError `build` or `system` as Nix does, and `definition` where packages that are there collide.
 */
export async function readImageClosure(
  nix: Nix,
  definition: Definition,
  gcRootDir: string,
  building?: Building,
): Promise<ReadClosure> {
  const [outcome] = await readImageClosures(nix, [definition], gcRootDir, building);
  if (outcome && 'answer' in outcome) return outcome.answer;
  throw outcome?.error;
}

/** The same for several definitions: Nix is asked about all at once and builds for all at once. What one throws is its own outcome; a failing Nix is thrown. */
export async function readImageClosures(
  nix: Nix,
  definitions: readonly Definition[],
  gcRootDir: string,
  building: Building = (work) => work(),
): Promise<readonly Answered<ReadClosure>[]> {
  const pathsOf = (definition: Definition): readonly string[] => {
    const base = baseOf(definition);
    return definition.roots.map((root) => root.outPath).filter((path) => path !== base);
  };
  const closures = await readClosures(nix, definitions.map(pathsOf));
  const outcomes = closures.map((answer, at): Answered<ReadClosure> => {
    const definition = definitions[at];
    if (definition === undefined || answer.missing.length === 0) return { answer };
    try {
      checkBuilt(definition, answer);
      return { answer };
    } catch (error) {
      return { error };
    }
  });
  const toBuild = outcomes.flatMap((outcome, at) => {
    const definition = definitions[at];
    if (definition === undefined || 'error' in outcome || outcome.answer.missing.length === 0) return [];
    const missing = new Set(outcome.answer.missing);
    const roots = definition.roots.filter((root) => missing.has(root.outPath));
    return [{ at, definition, roots }];
  });
  if (toBuild.length === 0) return outcomes;
  const groups = toBuild.map(({ roots }) => roots);
  const valid = new Set(closures.flatMap((one) => [...one.valid]));
  const failures = await building(() => realiseEach(nix, groups, { gcRootDir, valid }));
  const built = toBuild.filter((_, index) => failures[index] === undefined);
  const now = await readClosures(
    nix,
    built.map(({ definition }) => pathsOf(definition)),
  );
  const after = new Map(built.map(({ at }, index) => [at, now[index]]));
  for (const [index, { at }] of toBuild.entries()) {
    const answer = after.get(at);
    const failure = failures[index];
    if (failure !== undefined) outcomes[at] = { error: failure };
    else if (answer) outcomes[at] = answer.missing.length === 0 ? { answer } : { error: notBuilt(answer) };
  }
  return outcomes;
}

/** What is there already may show that all that building would be without success. Throws UserError `definition`. */
function checkBuilt({ copyToRoot, replaceable }: Definition, { valid }: ReadClosure): void {
  const isThere = (path: string): boolean => valid.has(path) && isHere(fromText(path));
  checkCollisions(copyToRoot.filter(isThere), storeTree, replaceable.filter(isThere));
}

const notBuilt = ({ missing }: ReadClosure): UserError =>
  new UserError('build', `${missing.join(', ')} should have been built, but Nix does not know it`, {
    hint: 'Was garbage collected meanwhile? Run the command again.',
  });

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
