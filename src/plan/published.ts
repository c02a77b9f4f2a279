import type { Digest } from '../image/digest.ts';
import { annotatedKey } from '../image/image-key.ts';
import { indexSchema, manifestSchema } from '../image/manifest.ts';
import { isIndexType } from '../image/media-type.ts';
import { UserError } from '../io/error.ts';
import { parseJson } from '../io/json.ts';
import type { Log } from '../io/log.ts';
import { mapParallel } from '../io/parallel.ts';
import type { ImageSource } from '../registry/open.ts';
import { isContainer, type PlannedImage } from './plan.ts';

/** Images that are asked for at once: enough to hide a registry's latency, too few for its rate limits. */
const AT_ONCE = 8;

/** What is published of an image, by key. */
type Published = ReadonlyMap<string, Digest>;

/** The keys under one reference: one request, whatever the number of systems. */
async function readKeys({ repository, reference }: ImageSource): Promise<Published> {
  const stored = await repository.getManifest(reference);
  if (!stored) return new Map();
  const where = `${repository.name}:${reference}`;
  const named = isIndexType(stored.mediaType)
    ? parseJson(stored.bytes, indexSchema, where).manifests
    : [{ ...parseJson(stored.bytes, manifestSchema, where), digest: stored.digest }];
  return new Map(
    named.flatMap((entry) => {
      const key = annotatedKey(entry);
      return key === undefined ? [] : [[key, entry.digest] as const];
    }),
  );
}

/** What is there of the keys that are wanted; later places are asked only for what earlier ones lack. */
async function findKeys(
  wanted: readonly string[],
  references: readonly string[],
  open: (reference: string) => Promise<ImageSource>,
): Promise<Published> {
  const found = new Map<string, Digest>();
  for (const reference of references) {
    if (wanted.every((key) => found.has(key))) break;
    for (const [key, digest] of await readKeys(await open(reference))) if (!found.has(key)) found.set(key, digest);
  }
  return found;
}

/** Where an image may be published already: tags, the likeliest first, and how to open what is under one. */
export interface PublishedPlaces {
  readonly references: readonly string[];
  open(reference: string): Promise<ImageSource>;
}

/**
 * The images with what is published of them already: for each one request, where the first tag has all systems. A place
 * that cannot be read counts as empty, for building again is always right. Throws UserError `cancelled` only.
 */
export function markPublished(
  images: readonly PlannedImage[],
  placesOf: (image: PlannedImage) => PublishedPlaces,
  log: Log,
): Promise<PlannedImage[]> {
  return mapParallel(images, AT_ONCE, async (image) => {
    const wanted = image.jobs.filter(isContainer).map(({ key }) => key);
    try {
      const { references, open } = placesOf(image);
      const known = await findKeys(wanted, references, open);
      return { ...image, jobs: image.jobs.map((job) => ({ ...job, published: known.get(job.key) ?? null })) };
    } catch (error) {
      if (error instanceof UserError && error.code === 'cancelled') throw error;
      const why = error instanceof Error ? error.message : String(error);
      log.warn(`what is published of ${image.name} cannot be read, so it is built: ${why}`);
      return image;
    }
  });
}
