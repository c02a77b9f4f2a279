import type { Job } from '../github/job.ts';
import { requiredLines, type ToLine } from '../publish/destination-line.ts';
import { locationOf } from '../storage/location-template.ts';
import type { Places } from './places.ts';
import type { RunTags } from './tags.ts';

/** Where what may be published goes. */
interface Wanted {
  readonly to: readonly Pick<ToLine, 'text' | 'mayFail'>[];
  /** Images that there are; any of them is enough to find credentials where there are none yet. */
  readonly names: readonly string[];
}

/** Nothing that the run could publish has a tag. */
export const NO_RULE = 'Nothing is published: no rule of `tags` applies to this run.';

/** Why a run publishes nothing whatever it is given, as a sentence; undefined where it may. `job` is undefined outside a workflow. */
export function whyNotInRun(
  job: Job | undefined,
  tags?: Pick<RunTags, 'any' | 'applies'>,
  names: readonly string[] = [],
): string | undefined {
  if (job?.isFork) return "Nothing is published for a fork's pull request.";
  if (job?.isMergeQueue) return 'Nothing is published for a merge queue: the push that follows does it.';
  if (tags === undefined) return undefined;
  if (!tags.any) return NO_RULE;
  return names.length > 0 && !names.some(tags.applies) ? NO_RULE : undefined;
}

/**
 * Why a run of Dependabot publishes nothing: it has Dependabot's own secrets alone, of which there are none mostly. Undefined
 * for other runs, which say themselves that they cannot log in, and where only destinations that may fail have no login.
 */
export async function whyNoLogin(
  job: Job | undefined,
  { to, names }: Wanted,
  places: Places,
): Promise<string | undefined> {
  if (!job?.isDependabot) return undefined;
  for (const template of requiredLines(to)) {
    if (await places.hasCredentials(locationOf(template, names[0] ?? 'name'))) continue;
    return `Nothing is published for Dependabot: this run has no login for ${template.text}.`;
  }
  return undefined;
}
