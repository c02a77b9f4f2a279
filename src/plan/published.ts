import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import { annotatedKey } from '../definition/image-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/read-manifest.ts';
import { platformOf, SYSTEMS, type System } from '../oci/system.ts';
import type { OpenedImage } from '../storage/source.ts';
import { isNeeded, type MissingSystem, type PlannedImage, type PlannedJob } from './plan.ts';

/** Images that are asked for at once: enough to hide a registry's latency, too few for its rate limits. */
const AT_ONCE = 8;

/** What is under one reference. */
interface Live {
  readonly keys: ReadonlyMap<string, Digest>;
  readonly systems: readonly System[];
}

/** One request, whatever the number of systems; undefined where nothing is there. */
async function readLive({ source, reference }: OpenedImage): Promise<Live | undefined> {
  const stored = await source.getManifest(reference);
  if (!stored) return undefined;
  const where = `${source.name}:${reference}`;
  const content = parseManifest(stored, where);
  const named: readonly Pick<Descriptor, 'digest' | 'annotations' | 'platform'>[] =
    content.kind === 'index' ? content.manifests : [{ annotations: content.annotations, digest: stored.digest }];
  const keys = named.flatMap((entry) => {
    const key = annotatedKey(entry);
    return key === undefined ? [] : [[key, entry.digest] as const];
  });
  const isFor = (system: System): boolean =>
    named.some(({ platform }) => {
      const { os, architecture } = platformOf(system);
      return platform?.os === os && platform.architecture === architecture;
    });
  return { keys: new Map(keys), systems: SYSTEMS.filter(isFor) };
}

/** What an image has published. */
interface Published {
  readonly keys: ReadonlyMap<string, Digest>;
  /** Systems of the first reference that is there, and which one that is; undefined where none is. */
  readonly live: { readonly reference: string; readonly systems: readonly System[] } | undefined;
}

/** Asks for the keys that are wanted; later places are asked only for what is missing in earlier ones. */
async function findPublished(wanted: readonly string[], { references, open }: PublishedPlaces): Promise<Published> {
  const keys = new Map<string, Digest>();
  let live: Published['live'];
  for (const reference of references) {
    if (live && wanted.every((key) => keys.has(key))) break;
    const image = await open(reference);
    const found = await readLive(image).finally(() => image.source.close());
    if (!found) continue;
    live ??= { reference, systems: found.systems };
    for (const [key, digest] of found.keys) if (!keys.has(key)) keys.set(key, digest);
  }
  return { keys, live };
}

/** Where an image may be published already. */
export interface PublishedPlaces {
  /** Tags, the likeliest first. */
  readonly references: readonly string[];
  /** Those of them that the publish will move. */
  readonly moved: readonly string[];
  /** Opens what is under a tag. */
  open(reference: string): Promise<OpenedImage>;
  /** Whether an error of reading is what a place says that is not there yet: some registries do not tell that from what is hidden. */
  mayBeNew(error: unknown): Promise<boolean>;
}

interface MarkOptions {
  /** Systems that are planned; others are not missed. */
  readonly systems: readonly System[];
  /** Whether what is published counts, so that it need not be built. */
  readonly reuse: boolean;
}

/**
 * The images with what is published of them already: for each one request, where the first tag has all systems; and with
 * the systems that they are published for and have lost. A place that cannot be read counts as empty, for building again
 * is always right. Throws UserError `cancelled` only.
 */
export function markPublished(
  images: readonly PlannedImage[],
  placesOf: (image: PlannedImage) => PublishedPlaces,
  options: MarkOptions,
  log: Log,
): Promise<PlannedImage[]> {
  return mapParallel(images, AT_ONCE, async (image) => {
    const wanted = options.reuse ? image.jobs.map(({ key }) => key) : [];
    const places = placesOf(image);
    try {
      const { keys, live } = await findPublished(wanted, places);
      const jobs = image.jobs.map((job) => ({ ...job, published: (options.reuse && keys.get(job.key)) || null }));
      const missing = missingOf(image, live, places, options.systems);
      return withReasons({ ...image, jobs, missing }, live, options);
    } catch (error) {
      if (error instanceof UserError && error.code === 'cancelled') throw error;
      const why = error instanceof Error ? error.message : String(error);
      const isNew = await places.mayBeNew(error);
      if (isNew) log.info(`${image.name} is built: nothing of it is published yet, or not for this login to see`);
      else log.warn(`what is published of ${image.name} cannot be read, so it is built: ${why}`);
      log.debug(why);
      return isNew ? withReasons(image, undefined, options) : image;
    }
  });
}

/** The image with why each of its jobs is needed that are. */
function withReasons(
  image: PlannedImage,
  live: Published['live'],
  { reuse }: Pick<MarkOptions, 'reuse'>,
): PlannedImage {
  const jobs = image.jobs.map((job): PlannedJob => {
    if (!isNeeded(job)) return job;
    const reason = live?.systems.includes(job.system) ? 'changed' : 'new';
    return { ...job, reason: reuse ? reason : 'forced' };
  });
  return { ...image, jobs };
}

/**
 * The live systems that have no job: those that do not evaluate, and under a tag that will be moved also those that are
 * gone without an error, for an index without them would take their place.
 */
function missingOf(
  image: PlannedImage,
  live: Published['live'],
  { moved }: PublishedPlaces,
  systems: readonly System[],
): MissingSystem[] {
  const { reference = '', systems: published = [] } = live ?? {};
  return published.flatMap((system): MissingSystem[] => {
    if (!systems.includes(system) || image.jobs.some((job) => job.system === system)) return [];
    const broken = image.missing.find((one) => one.system === system);
    if (broken) return [broken];
    return moved.includes(reference) ? [{ system, why: `no attribute is the image for ${system} any more` }] : [];
  });
}

/** What several destinations say of one image: it is published where all have the same manifest, and loses what any would. */
export function joinMarks(marks: readonly PlannedImage[]): PlannedImage {
  const [first, ...others] = marks;
  if (!first) throw new RangeError('an image is marked for one destination at least');
  const jobs = first.jobs.map((job, at): PlannedJob => {
    const there = others.flatMap((other) => other.jobs[at] ?? []);
    if (there.every(({ published }) => published === job.published)) return job;
    // Some have it, so it is new to a destination or has changed there.
    const reason = [job, ...there].find((mark) => mark.reason !== undefined)?.reason ?? 'changed';
    return { ...job, published: null, reason };
  });
  const missing = new Map(marks.flatMap((mark) => mark.missing).map((lost) => [lost.system, lost]));
  return { ...first, jobs, missing: [...missing.values()] };
}
