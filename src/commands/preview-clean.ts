import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import type { RemovedTags } from '../preview/preview-text.ts';
import { previewNumber } from '../prune/preview-tag.ts';
import { type AskPulls, type Pruned, prunePlace } from '../prune/prune.ts';
import { goingNames } from '../prune/prune-plan.ts';
import { formatLocation, type Location, withoutTransport } from '../storage/location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import type { Places } from './places.ts';
import { watchedPlace } from './preview-watch.ts';
import { openPrunePlace } from './prune-places.ts';

/** Tags and manifests that one run may remove from a repository: a pull request of a hundred pushes has three hundred. */
const LIMIT = 2000;

/** Nothing but previews of closed pull requests, and what only they have; not what a rollback leads to. */
const POLICY = { keepLast: [], maxAge: [], keepTags: [], untagged: undefined, closedPreviews: true, keepHistory: 1 };

/** Where previews are removed from, and by what. */
interface Cleaning {
  readonly to: readonly LocationTemplate[];
  readonly places: Places;
  readonly token: string | undefined;
  readonly host: Host;
  /** What became of pull requests, asked anew by each call; those that are not meant are `unknown`. */
  readonly askPulls: AskPulls;
  /** Whether each tag is asked about by itself, before it goes and after. */
  readonly isWatched: boolean;
}

/** What was removed, and what went wrong first. */
export interface Cleaned {
  readonly repositories: readonly RemovedTags[];
  readonly error: UserError | undefined;
}

/** Removes the previews of closed pull requests from the repositories of images. One that fails leaves the others as they are. */
export async function cleanPreviews(names: readonly string[], cleaning: Cleaning): Promise<Cleaned> {
  const repositories: RemovedTags[] = [];
  let error: UserError | undefined;
  for (const location of repositoriesOf(names, cleaning.to)) {
    try {
      const pruned = await cleanRepository(location, cleaning);
      error ??= pruned.error;
      repositories.push(removedTags(location, pruned));
    } catch (thrown) {
      if (!(thrown instanceof UserError) || thrown.code === 'cancelled') throw thrown;
      cleaning.host.log.warn(`cannot remove previews from ${formatLocation(location)}: ${thrown.message}`);
      error ??= thrown;
      repositories.push({ repository: shownName(location), removed: [], left: [{ tag: 'pr-*', why: thrown.message }] });
    }
  }
  return { repositories, error };
}

/** Each repository once. A name that a person has put into a comment may be none. */
function repositoriesOf(names: readonly string[], to: readonly LocationTemplate[]): Location[] {
  const found = new Map<string, Location>();
  for (const line of to) {
    for (const name of line.hasName ? names : ['']) {
      try {
        const place = locationOf(line, name);
        if (place.kind !== 'registry') continue;
        const { host, repository } = place.reference;
        const whole: Location = { kind: 'registry', reference: { host, repository } };
        found.set(formatLocation(whole), whole);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }
  }
  return [...found.values()];
}

async function cleanRepository(
  location: Location,
  { places, token, host, askPulls, isWatched }: Cleaning,
): Promise<Pruned> {
  const place = await openPrunePlace(location, places, { token }, host);
  try {
    return await prunePlace(isWatched ? watchedPlace(place, askPulls, host.log) : place, {
      ...{ policy: POLICY, askPulls, dryRun: false, force: false, limit: LIMIT },
      ...{ log: host.log, clock: systemClock },
    });
  } finally {
    await place.close();
  }
}

const shownName = (location: Location): string => withoutTransport(formatLocation(location));

function removedTags(location: Location, { outcomes }: Pruned): RemovedTags {
  const tags = outcomes.flatMap(({ decision, kind, why }) =>
    (decision.goes ? decision.item.names : goingNames(decision))
      .filter((tag) => previewNumber(tag) !== undefined)
      .map((tag) => ({ tag, isGone: kind === 'removed' || kind === 'gone', why: why ?? 'it could not be removed' })),
  );
  return {
    repository: shownName(location),
    removed: tags.filter(({ isGone }) => isGone).map(({ tag }) => tag),
    left: tags.filter(({ isGone }) => !isGone).map(({ tag, why }) => ({ tag, why })),
  };
}
