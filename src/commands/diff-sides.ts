import { UserError } from '../core/error.ts';
import type { ComparedImage } from '../diff/image-diff.ts';
import { parseInstallable } from '../nix/installable.ts';
import type { Plan } from '../plan/plan.ts';
import { locationOf, parseLocationTemplate } from '../storage/location-template.ts';
import { type ComparisonTools, readComparable, readInstallables, readPlanned } from './compared-image.ts';
import { readPlan } from './plan-input.ts';

/** One of the two things that are compared, as it is written. */
type DiffSide =
  | { readonly kind: 'image'; readonly text: string }
  /** A place with `{name}` in it, for each image of a plan. */
  | { readonly kind: 'template'; readonly text: string }
  | { readonly kind: 'installable'; readonly text: string }
  | { readonly kind: 'plan'; readonly text: string };

/**
 * `@FILE` and JSON are plans, as elsewhere; `FLAKE#NAME` is told by a sign that no reference of an image has. Throws UserError
 * `input` or `reference`.
 */
export function parseSide(text: string): DiffSide {
  if (/^[@{]|^artifact:/.test(text)) return { kind: 'plan', text };
  if (text.includes('#')) {
    parseInstallable(text);
    return { kind: 'installable', text };
  }
  return { kind: parseLocationTemplate(text).hasName ? 'template' : 'image', text };
}

/** Images to compare, by the name of an image in a plan, or without a name where there is no plan. */
interface Pair {
  readonly name: string | null;
  readonly old: ComparedImage;
  readonly new: ComparedImage;
}

const NOTHING: ComparedImage = { reference: 'nothing', digest: null, images: [] };

/** Reads both sides; no layer is fetched. Throws UserError as the places, Nix and its builds do. */
export async function readPairs(before: DiffSide, after: DiffSide, tools: ComparisonTools): Promise<Pair[]> {
  const plans = await Promise.all([before, after].map((side) => planOf(side, tools)));
  const names = new Set(plans.flatMap((plan) => plan?.images.map(({ name }) => name) ?? []));
  if (plans.every((plan) => plan === undefined)) {
    for (const side of [before, after]) if (side.kind === 'template') throw unnamed(side.text);
    return [{ name: null, old: await readOne(before, tools), new: await readOne(after, tools) }];
  }
  const pairs: Pair[] = [];
  for (const name of [...names].sort()) {
    const read = (side: DiffSide, plan: Plan | undefined) => readNamed(side, plan, name, tools);
    pairs.push({ name, old: await read(before, plans[0]), new: await read(after, plans[1]) });
  }
  return pairs;
}

const planOf = async (side: DiffSide, { host }: ComparisonTools): Promise<Plan | undefined> =>
  side.kind === 'plan' ? await readPlan(side.text, host) : undefined;

const unnamed = (text: string): UserError =>
  new UserError('input', `${text} needs a plan on the other side, for {name} is in it`, {
    hint: 'Name one image, or give a plan (@plan.json) as the other side.',
  });

async function readOne(side: DiffSide, tools: ComparisonTools): Promise<ComparedImage> {
  if (side.kind === 'installable') return readInstallables([{ installable: parseInstallable(side.text) }], tools);
  const found = await readComparable(locationOf(side, ''), tools, { isNeeded: true });
  return found ?? NOTHING;
}

/** An image of a plan on one side. What is not there is compared as nothing: images come and go. */
async function readNamed(
  side: DiffSide,
  plan: Plan | undefined,
  name: string,
  tools: ComparisonTools,
): Promise<ComparedImage> {
  if (plan) {
    const image = plan.images.find((planned) => planned.name === name);
    return image ? await readPlanned(image, plan, tools) : NOTHING;
  }
  if (side.kind === 'template') {
    return (await readComparable(locationOf(side, name), tools, { isNeeded: false })) ?? NOTHING;
  }
  throw new UserError('input', `${side.text} is one image, and the plan may have several`, {
    hint: 'Compare a plan with a plan, or with a place that has {name} in it, such as ghcr.io/org/{name}:latest.',
  });
}
