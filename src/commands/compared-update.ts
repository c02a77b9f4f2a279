import { UserError } from '../core/error.ts';
import type { Contents } from '../diff/contents.ts';
import { type ComparedImage, diffImages } from '../diff/image-diff.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import type { PlannedImage } from '../plan/plan.ts';
import type { ChangedImage } from '../update/changed-images.ts';
import type { ImageReport } from '../update/pull-request.ts';
import { type ComparisonTools, readPlanned } from './compared-image.ts';
import { type LockFiles, underOldLocks } from './lock-files.ts';

/** One side of an image: what is known of its systems, and why nothing is of the others. */
interface ReadSide {
  readonly images: readonly Contents[];
  readonly unknown: ReadonlyMap<System, string>;
}

/** What changed in an image. What cannot be compared, because another machine must build it, is told as such. */
export async function compareChanged(
  changed: ChangedImage,
  to: readonly string[],
  locks: LockFiles,
  tools: ComparisonTools,
): Promise<ImageReport> {
  const { name } = changed;
  const broken = changed.broken.map((why) => `Does not evaluate any more: ${why}`);
  if (changed.new === undefined) {
    const notes = broken.length > 0 ? broken : ['The update takes this image away.'];
    return { name, diff: null, notes, isBroken: true };
  }
  const old = await underOldLocks(locks, () => readSide(changed.old, to, changed, tools));
  const now = await readSide(changed.new, [], changed, tools);
  const unknown = new Map([...old.unknown, ...now.unknown]);
  const notes = [...unknown].map(([system, why]) => `${system} was not compared: ${why}`);
  const left = new Set([...unknown.keys()].map((system) => platformText(platformOf(system))));
  const side = (reference: string, { images }: ReadSide): ComparedImage => ({
    reference,
    digest: null,
    images: images.filter(({ platform }) => !left.has(platform)),
  });
  const [before, after] = [side('before', old), side('after', now)];
  const isNothing = before.images.length === 0 && after.images.length === 0;
  return {
    name,
    diff: isNothing ? null : diffImages(before, after),
    notes: [...broken, ...notes],
    isBroken: broken.length > 0,
  };
}

async function readSide(
  image: PlannedImage | undefined,
  to: readonly string[],
  { systems }: ChangedImage,
  tools: ComparisonTools,
): Promise<ReadSide> {
  const jobs = image?.jobs.filter(({ system }) => systems.includes(system)) ?? [];
  const images: Contents[] = [];
  const unknown = new Map<System, string>();
  for (const job of jobs) {
    if (image === undefined) break;
    try {
      images.push(...(await readPlanned({ ...image, jobs: [job] }, { to: [...to] }, tools)).images);
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      unknown.set(job.system, error.message);
      tools.host.log.info(`${image.name} for ${job.system} cannot be compared: ${error.message}`);
    }
  }
  return { images, unknown };
}
