import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Reference } from '../oci/reference.ts';
import type { System } from '../oci/system.ts';
import { copyImage, manifestToCopy, platformsIn } from '../publish/copy-image.ts';
import { type DestinationLine, requiredLines } from '../publish/destination-line.ts';
import { checkFixedTags } from '../publish/fixed-tags.ts';
import type { OptionalTargets } from '../publish/optional-targets.ts';
import {
  checkRoom,
  chooseTags,
  filesFirst,
  mergeTargets,
  type PublishedTarget,
  publishedTarget,
} from '../publish/target.ts';
import { checkSizesIn } from '../storage/blob-limit.ts';
import type { Repository } from '../storage/destination.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import type { OpenedImage } from '../storage/source.ts';
import { besideTargets } from './beside-targets.ts';
import { inFolder, type Places } from './places.ts';
import type { RunTags } from './tags.ts';

interface PlannedDestination {
  readonly location: Location;
  readonly kind: Location['kind'];
  readonly tags: readonly string[];
  readonly mayFail: boolean;
}

/** A copy as it was asked for, with everything that can be told before anything is asked of the network. */
export interface PlannedCopy {
  readonly source: Location;
  /** What the image is called, without tag and digest; undefined where only its file has a name. */
  readonly named: Reference | undefined;
  /** In the order in which they are written to. */
  readonly destinations: readonly PlannedDestination[];
}

/** What was copied. */
export interface CopiedImage {
  /** As a person writes it. */
  readonly source: string;
  readonly digest: string;
  readonly mediaType: string;
  /** How many signatures, SBOMs and the like went along. */
  readonly referrers: number;
  readonly targets: readonly PublishedTarget[];
}

interface PlanOptions {
  /** Asked for at every destination that has none of its own. */
  readonly tags: readonly string[];
  /** What destinations say of their own tags. */
  readonly own: Pick<RunTags, 'at'>;
  /** From where paths are meant. */
  readonly cwd: string;
}

/** Where a copy of `source` goes. Throws UserError `reference`, and `input` where no rule for tags applies. */
export function planCopy(
  source: Location,
  to: readonly DestinationLine[],
  { tags, own, cwd }: PlanOptions,
): PlannedCopy {
  const named = nameOf(source);
  const found = to.flatMap((line) => {
    const location = inFolder(destinationOf(line, named), cwd);
    const asked = own.at(line, named?.repository ?? '');
    if (asked?.length === 0) return [];
    return { location, kind: location.kind, mayFail: line.mayFail, tags: tagsAt(location, asked ?? tags, source) };
  });
  if (found.length === 0) {
    throw new UserError('input', 'no rule of the tags of any destination applies', { hint: 'Name a tag: tag=latest.' });
  }
  return { source: inFolder(source, cwd), named, destinations: filesFirst(found) };
}

/** How copies are made, and by whom places are opened. */
export interface Copying {
  readonly host: Host;
  readonly places: Places;
  /** What is known of destinations that may fail. */
  readonly optional: OptionalTargets;
  readonly system: System | undefined;
  readonly referrers: boolean;
  readonly verify: boolean;
  openForReading(source: Location): Promise<OpenedImage>;
  openForWriting(destination: Location, named: Reference | undefined): Repository;
  /** Whether whoever opened a destination commits it, because more comes to it. */
  isHeldOpen(destination: Location): boolean;
}

/**
 * Copies one image. Throws UserError; destinations that must not fail and are not held open are abandoned then. Those that may
 * fail say so in what comes back.
 */
export async function copyEntry({ source, named, destinations }: PlannedCopy, copying: Copying): Promise<CopiedImage> {
  const { host, places, system, referrers, verify, optional: optionalTargets } = copying;
  const opened = destinations.map((one) => {
    const isHeldOpen = copying.isHeldOpen(one.location);
    const repository = copying.openForWriting(one.location, named);
    // Others write it too, so it is nothing that may be given up.
    return { ...one, mayFail: one.mayFail && !isHeldOpen, isHeldOpen, repository };
  });
  const first = requiredLines(opened);
  const targets = mergeTargets([...first, ...opened.filter((target) => !first.includes(target))]);
  const required = targets.filter(({ mayFail }) => !mayFail);
  const locations = required.map(({ location }) => location);
  const beside = besideTargets(
    targets.filter(({ mayFail }) => mayFail),
    { places, optional: optionalTargets },
  );
  try {
    const image = await copying.openForReading(source);
    try {
      const manifest = await manifestToCopy(image, system);
      checkRoom(
        targets.map(({ location }) => location),
        platformsIn(manifest),
      );
      const repositories = required.map(({ repository }) => repository);
      await checkSizesIn(manifest, image.source, repositories);
      const isFixed = await places.prepare(locations);
      const isOther = (tagged: StoredManifest): boolean => tagged.digest !== manifest.digest;
      await checkFixedTags(required, { isFixed, isOther, read: readTagsOnce(), run: undefined });
      const options = { referrers, verify, log: host.log, clock: systemClock, signal: host.signal };
      const { followers } = beside;
      const copied = await copyImage(manifest, image.source, required, { ...options, followers });
      await places.show(locations, manifest);
      const rest = await beside.publish(manifest, image.source, { ...options, run: undefined });
      const published = [...required.map((target) => publishedTarget(target)), ...rest];
      if (published.every(({ failure }) => failure !== undefined)) throw nowhere(rest);
      const { digest, mediaType } = manifest;
      return {
        source: formatLocation(source),
        digest,
        mediaType,
        referrers: copied.referrers,
        targets: published,
      };
    } finally {
      if (!image.isShared) await image.source.close();
    }
  } catch (error) {
    const own = required.filter(({ isHeldOpen }) => !isHeldOpen);
    await Promise.all(own.map(({ repository }) => repository.abandon()));
    await beside.stop();
    throw error;
  }
}

/** Each destination may fail, and each did: nothing was copied. */
function nowhere(failed: readonly PublishedTarget[]): UserError {
  const list = failed.map(({ name, failure }) => `\n  ${name}: ${failure}`).join('');
  return new UserError('registry', `the image is at none of its destinations:${list}`, {
    hint: 'Every destination may fail, but one has to take the image: see the log.',
  });
}

/** The tag that an image is named by; null where it has none. */
const tagOf = (location: Location): string | null =>
  ('reference' in location ? location.reference?.tag : 'tag' in location ? location.tag : undefined) ?? null;

/** The tags to move at a destination. Throws UserError `reference` where nothing names one: a digest is not `latest`. */
function tagsAt(destination: Location, asked: readonly string[], image: Location): readonly string[] {
  const isDigest = image.kind === 'registry' && image.reference.digest !== undefined;
  if (!isDigest || [...asked, tagOf(destination), tagOf(image)].some(Boolean))
    return chooseTags(destination, asked, tagOf(image));
  throw new UserError(
    'reference',
    `${formatLocation(destination)} names no tag, and the image is named by its digest`,
    {
      hint: 'Name a tag in --to, or with --tag.',
    },
  );
}

function nameOf(location: Location): Reference | undefined {
  const reference = 'reference' in location ? location.reference : undefined;
  return reference && { host: reference.host, repository: reference.repository };
}

function destinationOf(template: LocationTemplate, named: Reference | undefined): Location {
  if (!template.hasName || named) return locationOf(template, named?.repository ?? '');
  throw new UserError('reference', `the image has no name to put into ${template.text}`, {
    hint: 'Write the name of the repository in the place of {name}.',
  });
}
