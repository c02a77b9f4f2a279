import type { Host } from '../host/host.ts';
import type { Nix } from '../nix/nix.ts';
import { unbuilt } from '../nix/unbuilt.ts';
import { isNeeded, type PlannedImage } from '../plan/plan.ts';
import { type Recipes, recipeFor } from '../plan/recipes.ts';
import { type JobWork, sharedWork, sharedWorkLine } from '../plan/shared-work.ts';

/** What several build jobs of the plan would build each for itself, a line for each system. Nix asks its substituters. */
export async function sharedWorkLines(
  images: readonly PlannedImage[],
  recipes: Recipes,
  nix: Nix,
  { log }: Pick<Host, 'log'>,
): Promise<readonly string[]> {
  const work: JobWork[] = [];
  for (const image of images) {
    for (const job of image.jobs.filter(isNeeded)) {
      const found = await unbuilt(nix, recipeFor(recipes, image, job));
      if (found) work.push({ name: image.name, system: job.buildSystem ?? job.system, unbuilt: found });
      else log.warn(`shared work: Nix cannot tell what ${image.name} for ${job.system} needs to be built`);
    }
  }
  const lines = sharedWork(work).map(sharedWorkLine);
  return lines.length > 0 ? lines : ['no two build jobs build the same derivation'];
}
