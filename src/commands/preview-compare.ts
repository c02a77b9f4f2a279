import { UserError } from '../core/error.ts';
import { type ComparedImage, diffImages } from '../diff/image-diff.ts';
import type { Host } from '../host/host.ts';
import { type Budget, overBudget } from '../preview/budget.ts';
import type { PreviewImage } from '../preview/preview-text.ts';
import type { RunImage } from '../preview/published.ts';
import { tagText } from '../publish/tag-text.ts';
import { type Location, parseLocation } from '../storage/location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import { type ComparisonTools, readComparable } from './compared-image.ts';
import type { Places } from './places.ts';

interface CompareOptions {
  /** Where the images go. */
  readonly to: LocationTemplate;
  /** Where those of the base branch are, when it is not the same place. */
  readonly base: LocationTemplate | undefined;
  /** The base branch; its tag counts where `base` is not given. */
  readonly branch: string;
  readonly number: number;
  readonly budgets: readonly Budget[];
  /** What build jobs of this run report of an image that is not published. */
  readonly reported: (name: string) => Promise<ComparedImage | undefined>;
  readonly places: Places;
  readonly host: Host;
}

/** Compares the images of a run with those of the base branch. No layer is fetched. What cannot be compared is told and no failure. */
export async function comparePreviews(images: readonly RunImage[], options: CompareOptions): Promise<PreviewImage[]> {
  const compared: PreviewImage[] = [];
  for (const image of images) compared.push(await comparePreview(image, options));
  return compared;
}

async function comparePreview(
  { name, references, digestReferences, isDisk }: RunImage,
  options: CompareOptions,
): Promise<PreviewImage> {
  const [byDigest = null] = digestReferences;
  const pull = references.find((one) => one.endsWith(`:pr-${options.number}`)) ?? references[0] ?? null;
  const known = { name, pull, byDigest, isDisk };
  let now: ComparedImage | undefined;
  try {
    now = byDigest === null ? await options.reported(name) : await readNew(pull, byDigest, options);
    if (now === undefined) return { ...known, diff: null, over: [], note: 'Not published.' };
    const diff = diffImages(await readBase(name, options), now);
    return { ...known, diff, note: null, over: overBudget(name, diff, options.budgets) };
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    options.host.log.warn(`${name} cannot be compared with the base branch: ${error.message}`);
    // What it weighs is known all the same, and its budget counts.
    const diff = now ? diffImages(NOTHING, now) : null;
    const over = diff ? overBudget(name, diff, options.budgets) : [];
    return { ...known, diff, over, note: `It cannot be compared with the base branch: ${error.message}` };
  }
}

const NOTHING: ComparedImage = { reference: 'nothing', digest: null, images: [] };

const toolsOf = ({ host, places }: CompareOptions): ComparisonTools => ({
  host,
  places,
  nix: async () => {
    throw new TypeError('what is published needs no Nix');
  },
});

async function readNew(pull: string | null, byDigest: string, options: CompareOptions): Promise<ComparedImage> {
  const found = await readComparable(parseLocation(byDigest), toolsOf(options), { isNeeded: true });
  return { ...(found as ComparedImage), reference: pull ?? byDigest };
}

async function readBase(name: string, options: CompareOptions): Promise<ComparedImage> {
  const found = await readComparable(baseOf(name, options), toolsOf(options), { isNeeded: false });
  return found ?? NOTHING;
}

/** The image of the base branch: where the pull request's goes, under the tag that the branch has. */
function baseOf(name: string, { to, base, branch }: CompareOptions): Location {
  const place = locationOf(base ?? to, name);
  if (place.kind !== 'registry' || place.reference.tag !== undefined) return place;
  return { kind: 'registry', reference: { ...place.reference, tag: tagText(branch) } };
}
