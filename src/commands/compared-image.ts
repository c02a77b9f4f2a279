import { UserError } from '../core/error.ts';
import { type Contents, contentsOf } from '../diff/contents.ts';
import type { ComparedImage } from '../diff/image-diff.ts';
import { readDiskClosure } from '../disk-image/disk-closure.ts';
import type { Host } from '../host/host.ts';
import { readImageClosure } from '../image/from-definition/image-closure.ts';
import { inspectImage } from '../inspect/inspection.ts';
import { evaluateImages } from '../nix/evaluate.ts';
import { type Installable, installableText } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { platformOf, platformText, SYSTEMS, type System } from '../oci/system.ts';
import type { Plan, PlannedImage } from '../plan/plan.ts';
import { imageLines, parseToLine, requiredLines } from '../publish/destination-line.ts';
import { type Location, withoutTransport } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { inFolder, type Places } from './places.ts';
import { atDigest, jobsTogether } from './planned-places.ts';

export interface ComparisonTools {
  readonly host: Host;
  readonly places: Places;
  /** Opened when it is asked for: to compare what is published needs no Nix. */
  readonly nix: () => Promise<Nix>;
}

/** An image that is there; undefined where there is none and none is needed. Throws UserError as the place does. */
export async function readComparable(
  location: Location,
  { host, places }: ComparisonTools,
  { isNeeded }: { readonly isNeeded: boolean },
): Promise<ComparedImage | undefined> {
  const { source, reference } = await places.openForReading(inFolder(location, host.cwd));
  try {
    if (!isNeeded && (await source.getManifest(reference)) === undefined) return undefined;
    const { reference: shown, digest, images } = await inspectImage(source, reference);
    return { reference: withoutTransport(shown), digest, images: images.map(contentsOf) };
  } finally {
    await source.close();
  }
}

interface Wanted {
  readonly installable: Installable;
  /** Default: all that it has. */
  readonly systems?: readonly System[];
}

/** What a flake would make: the closure of each system, which Nix or a substituter knows; what neither does is built. */
export async function readInstallables(wanted: readonly Wanted[], tools: ComparisonTools): Promise<ComparedImage> {
  const images: Contents[] = [];
  for (const one of wanted) images.push(...(await readInstallable(one, tools)));
  return {
    reference: wanted.map(({ installable }) => installableText(installable)).join(' and '),
    digest: null,
    images,
  };
}

async function readInstallable(
  { installable, systems: asked = SYSTEMS }: Wanted,
  { host, nix: open }: ComparisonTools,
): Promise<Contents[]> {
  const nix = await open();
  const { systems, foundFor } = await evaluateImages(nix, installable, { systems: asked });
  const images: Contents[] = [];
  // Of one that no system has, the first says what is there instead.
  for (const system of systems.length > 0 ? systems : asked) {
    const image = await foundFor(system);
    if (image.kind === 'tool-image' || image.kind === 'tool-disk') {
      const kind = image.kind === 'tool-image' ? 'an image' : 'a disk';
      const what = `${installableText(installable)} is ${kind} of another tool, whose content is not known before it is built`;
      throw new UserError('input', what, { hint: 'Build it (nix-images build), and name what came out.' });
    }
    const gcRootDir = await host.tempDir();
    const { closure } =
      image.kind === 'disk'
        ? await readDiskClosure(nix, image.disk, gcRootDir)
        : await readImageClosure(nix, image.definition, gcRootDir);
    const paths = closure.map(({ path, narSize }) => ({ path, size: narSize }));
    images.push({ platform: platformText(platformOf(system)), digest: null, layers: null, paths });
  }
  return images;
}

/** An image of a plan: what is published of it is read at the plan's destination, the rest is evaluated. */
export async function readPlanned(
  image: PlannedImage,
  { to }: Pick<Plan, 'to'>,
  tools: ComparisonTools,
): Promise<ComparedImage> {
  const { jobs } = image;
  const [destination] = requiredLines(imageLines(to.map(parseToLine)));
  const published = destination === undefined ? [] : jobs.filter((job) => job.published !== null);
  const images: Contents[] = [];
  for (const job of published) {
    if (destination === undefined) break;
    const place = locationOf(destination, image.name);
    const found = await readComparable(atDigest(place, job.published), tools, { isNeeded: true });
    images.push(...(found?.images ?? []));
  }
  const open = jobs.filter((job) => !published.includes(job));
  const made = await readInstallables([...jobsTogether(image.source, open)], tools);
  return { reference: `${image.name} of the plan`, digest: null, images: [...images, ...made.images] };
}
