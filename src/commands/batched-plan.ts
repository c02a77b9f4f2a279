import { derivationInputs } from '../nix/derivation-inputs.ts';
import type { BatchChoice } from '../plan/batches.ts';
import { batchedJobs, type NeededJob, neededJobs } from '../plan/matrix.ts';
import type { Plan } from '../plan/plan.ts';
import { type Recipes, recipeFor } from '../plan/recipes.ts';

interface BatchInputs {
  readonly batch: BatchChoice;
  readonly maxJobs: number;
}

/**
 * The images of each build job. What they share is told by the derivations that they are built from, which are looked at only where some job builds
 * several images.
 */
export async function batchedPlan(
  plan: Pick<Plan, 'images'>,
  { batch, maxJobs }: BatchInputs,
  recipes: Recipes,
): Promise<readonly (readonly NeededJob[])[]> {
  const limits = { batch, maxJobs };
  const byName = batchedJobs(plan, { ...limits, partsOf: () => new Set() });
  if (byName.every(({ length }) => length < 2)) return byName;
  const drvPathsOf = ({ image, job }: NeededJob): readonly string[] =>
    recipeFor(recipes, image, job).map((recipe) => recipe.replace(/!.*$/, ''));
  const inputs = await derivationInputs(neededJobs(plan).flatMap(drvPathsOf));
  const partsOf = (needed: NeededJob): ReadonlySet<string> =>
    new Set(drvPathsOf(needed).flatMap((drvPath) => [...(inputs.get(drvPath) ?? [])]));
  return batchedJobs(plan, { ...limits, partsOf });
}
