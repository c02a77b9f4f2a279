import { isDiskDefinition, parseDefinition, parseDiskDefinition } from '../nix/answer.ts';
import { type Discovered, placeText } from '../nix/discover.ts';
import type { PlannedImage, PlannedJob } from './plan.ts';
import type { PlanSource } from './source.ts';

/** What was found, by where it was found. */
export type Recipes = ReadonlyMap<string, Discovered>;

const keyOf = ({ flake, file }: PlanSource, attr: string, system: string | null): string =>
  JSON.stringify([flake ?? file, attr, flake === null ? system : null]);

/** What was found in one source, by where it was found. */
export const recipesOf = (found: readonly Discovered[], source: PlanSource): Recipes =>
  new Map(
    found.map(
      (entry) => [keyOf(source, entry.path.length === 0 ? '' : placeText(entry), entry.system), entry] as const,
    ),
  );

/** What Nix realises for a job of the plan, as `DRV!OUTPUT` or `DRV`; nothing where that is not known. */
export function recipeFor(
  recipes: Recipes,
  { source }: Pick<PlannedImage, 'source'>,
  { attr, system, buildSystem }: PlannedJob,
): readonly string[] {
  const entry = recipes.get(keyOf(source, attr, buildSystem ?? system));
  if (entry?.kind === 'image') return [entry.image.drvPath];
  if (entry?.kind !== 'definition') return [];
  const parse = isDiskDefinition(entry.definition) ? parseDiskDefinition : parseDefinition;
  const { roots } = parse(placeText(entry), entry.definition);
  return [
    ...new Set(roots.flatMap(({ drvPath, output }) => (drvPath === null ? [] : `${drvPath}!${output ?? 'out'}`))),
  ];
}

/** Store paths and derivations of the images that other tools make, built or not. */
export const toolImagePaths = (recipes: Recipes): readonly string[] =>
  [...recipes.values()].flatMap((entry) => (entry.kind === 'image' ? [entry.image.path, entry.image.drvPath] : []));

/** Whether an image's definition wants layers that are zstd:chunked. */
export function wantsChunked(recipes: Recipes, { source }: Pick<PlannedImage, 'source'>, job: PlannedJob): boolean {
  if (job.kind !== 'definition') return false;
  const entry = recipes.get(keyOf(source, job.attr, job.buildSystem ?? job.system));
  if (entry?.kind !== 'definition') return false;
  return parseDefinition(placeText(entry), entry.definition).compression.name === 'zstd:chunked';
}
