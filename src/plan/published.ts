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

/**
 * The images with what is published of them already, by one request for each place that `open` names. A place that cannot
 * be read counts as empty, for building again is always right. Throws UserError `cancelled` only.
 */
export function markPublished(
  images: readonly PlannedImage[],
  open: (image: PlannedImage) => Promise<readonly ImageSource[]>,
  log: Log,
): Promise<PlannedImage[]> {
  return mapParallel(images, AT_ONCE, async (image) => {
    if (!image.jobs.some(isContainer)) return image;
    try {
      const known = await Promise.all((await open(image)).map(readKeys));
      const find = (key: string): Digest | null => known.find((keys) => keys.has(key))?.get(key) ?? null;
      return { ...image, jobs: image.jobs.map((job) => ({ ...job, published: find(job.key) })) };
    } catch (error) {
      if (error instanceof UserError && error.code === 'cancelled') throw error;
      const why = error instanceof Error ? error.message : String(error);
      log.warn(`what is published of ${image.name} cannot be read, so it is built: ${why}`);
      return image;
    }
  });
}
