import type { Job } from '../github/job.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import type { Places } from './places.ts';
import type { AskedTags } from './tags.ts';

/** Where what may be published goes. */
interface Wanted {
  readonly to: readonly LocationTemplate[];
  /** Images that there are; any of them is enough to find credentials where there are none yet. */
  readonly names: readonly string[];
}

/** Nothing that the run could publish has a tag. */
export const NO_RULE = 'Nothing is published: no rule of `tags` applies to this run.';

/** Why a run publishes nothing whatever it is given, as a sentence; undefined where it may. `job` is undefined outside a workflow. */
export function whyNotInRun(
  job: Job | undefined,
  tags: AskedTags | undefined,
  names: readonly string[] = [],
): string | undefined {
  if (job?.isFork) return "Nothing is published for a fork's pull request.";
  if (job?.isMergeQueue) return 'Nothing is published for a merge queue: the push that follows does it.';
  if (tags?.any === false) return NO_RULE;
  return tags && names.length > 0 && names.every((name) => tags.of(name).length === 0) ? NO_RULE : undefined;
}

/**
 * Why a run of Dependabot publishes nothing: it has Dependabot's own secrets alone, of which there are none mostly. Undefined
 * for other runs, which say themselves that they cannot log in.
 */
export async function whyNoLogin(
  job: Job | undefined,
  { to, names }: Wanted,
  places: Places,
): Promise<string | undefined> {
  if (!job?.isDependabot) return undefined;
  for (const template of to) {
    if (await places.hasCredentials(locationOf(template, names[0] ?? 'name'))) continue;
    return `Nothing is published for Dependabot: this run has no login for ${template.text}.`;
  }
  return undefined;
}
