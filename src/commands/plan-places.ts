import { existsSync } from 'node:fs';
import type { Host } from '../host/host.ts';
import type { System } from '../oci/system.ts';
import { neededJobs } from '../plan/matrix.ts';
import type { PlannedImage } from '../plan/plan.ts';
import { joinMarks, markPublished, type PublishedPlaces } from '../plan/published.ts';
import { type Recipes, wantsChunked } from '../plan/recipes.ts';
import { type DestinationLine, requiredLines } from '../publish/destination-line.ts';
import { chooseTags } from '../publish/target.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { statusOf } from '../storage/registry/failure.ts';
import { inFolder, type Places } from './places.ts';
import { decisiveLines, type RunTags } from './tags.ts';

/** What clients pull when they name nothing: most likely what a branch or release began with. */
const USUAL_TAG = 'latest';

/** The tags at the destinations that count. */
interface CountedTags {
  /** Those that were named; they alone count then. */
  readonly named: readonly string[];
  /** Those that a publish would move. */
  readonly moved: RunTags;
}

interface Tools {
  readonly host: Host;
  readonly places: Places;
}

interface MarkInputs {
  readonly to: readonly DestinationLine[];
  readonly systems: readonly System[];
  readonly force: boolean;
}

/**
 * Marks what of the images is published at every destination that must not fail, and which systems any of them would lose.
 * What is missing at the others is copied to them, so they are not asked.
 */
export async function markAtAll(
  images: readonly PlannedImage[],
  { to, systems, force }: MarkInputs,
  tags: CountedTags,
  tools: Tools,
): Promise<readonly PlannedImage[]> {
  if (to.length === 0) return images;
  const placesOf = (line: DestinationLine) => (image: PlannedImage) => publishedPlaces(image, line, tags, tools);
  const options = { systems, reuse: !force };
  const marked = await Promise.all(
    requiredLines(to).map(async (line) => {
      const here = images.filter(({ name }) => decisiveLines(to, name, tags.moved).includes(line));
      const marks = await markPublished(here, placesOf(line), options, tools.host.log);
      return new Map(here.map((image, at) => [image, marks[at]]));
    }),
  );
  return images.map((image) => joinMarks(marked.flatMap((marks) => marks.get(image) ?? [])));
}

/** Warns of destinations to which images that are to be built go, where nobody could pull them in part though they are made for that. */
export function warnOfPartialPulls(
  images: readonly PlannedImage[],
  recipes: Recipes,
  to: readonly DestinationLine[],
  { partialPulls }: Pick<Places, 'partialPulls'>,
): void {
  const chunked = neededJobs({ images: [...images] }).find(({ image, job }) => wantsChunked(recipes, image, job));
  if (chunked === undefined) return;
  for (const line of to) {
    const location = locationOf(line, chunked.image.name);
    if (location.kind === 'registry') partialPulls.expect(location.reference.host);
  }
}

/** The tags whose images count: those that were named, or those that a publish would move, then the image's own and the usual one. */
function publishedPlaces(
  { name, tag }: PlannedImage,
  to: DestinationLine,
  { named, moved }: CountedTags,
  { host: { cwd }, places }: Tools,
): PublishedPlaces {
  const destination = inFolder(locationOf(to, name), cwd);
  const toMove = chooseTags(destination, moved.at(to, name) ?? [], tag);
  const usual = [...toMove, ...(tag === null ? [] : [tag]), USUAL_TAG];
  const references = named.length > 0 ? named : [...new Set(usual)];
  return {
    references,
    moved: toMove,
    open: (reference) => places.openForReading(withTag(destination, reference)),
    mayBeNew: (error) => mayBeNew(destination, error, places),
  };
}

/**
 * Whether there may be nothing yet where reading failed. Registries answer 404, or 403, or without a login 401 for a repository that
 * is not there; a login that is refused is another matter.
 */
export async function mayBeNew(destination: Location, error: unknown, places: Places): Promise<boolean> {
  if (destination.kind !== 'registry') return !existsSync(destination.path);
  const status = statusOf(error);
  return status === 403 || status === 404 || (status === 401 && !(await places.hasCredentials(destination)));
}

/** The same place under another tag; an archive for docker names its image in another way, and is never read. */
function withTag(destination: Location, tag: string): Location {
  if (destination.kind === 'registry') {
    const { host, repository } = destination.reference;
    return { kind: 'registry', reference: { host, repository, tag } };
  }
  return destination.kind === 'docker-archive' ? destination : { ...destination, tag };
}
