import { docsOf, hintsOf, UserError } from '../core/error.ts';
import { listed } from '../nix/not-image.ts';
import { SYSTEMS } from '../oci/system.ts';
import type { LeftOut, Plan, PlannedImage, Problem } from './plan.ts';

/** Whether something that is left out is news: it looks like an image, and should be one. */
export const isWarning = ({ broken, image }: LeftOut): boolean => broken && image;

/** An attribute without its system: that of another system is the same image. */
const withoutSystem = (attr: string): string =>
  SYSTEMS.reduce((text, system) => text.replace(`.${system}`, '.<system>'), attr);

/**
 * Images that do not evaluate, or are not images: they look like one and are in no plan, so what is published of them goes
 * stale. A system of an image that is planned for another one is not among them: whether the image may lose it is asked of
 * what is published (`missing`).
 */
export function brokenImages({ images, leftOut }: Pick<Plan, 'images' | 'leftOut'>): readonly LeftOut[] {
  const planned = new Set(images.flatMap(({ jobs }) => jobs.map(({ attr }) => withoutSystem(attr))));
  return leftOut.filter((item) => isWarning(item) && !planned.has(withoutSystem(item.attr)));
}

/**
 * What is left out, said once for each reason: an input that cannot be fetched, or a typo in what several images share, is one
 * thing to fix however many attributes and systems it breaks. What looks like an image goes first.
 */
export function byReason(
  leftOut: readonly LeftOut[],
): { readonly attrs: string; readonly why: string; readonly items: readonly LeftOut[] }[] {
  const groups = Map.groupBy(leftOut, (item) => `${isWarning(item)} ${item.why}`);
  const rows = [...groups.values()].map((items) => ({
    attrs: listed(items.map(({ attr }) => attr)),
    why: items[0]?.why ?? '',
    items,
  }));
  const isNews = ({ items }: { readonly items: readonly LeftOut[] }): boolean => items.some(isWarning);
  return [...rows.filter(isNews), ...rows.filter((row) => !isNews(row))];
}

/** The error for an image that has lost systems that it is published for; undefined where it has lost none. */
export function lostSystems({ name, missing }: Pick<PlannedImage, 'name' | 'missing'>): UserError | undefined {
  if (missing.length === 0) return undefined;
  const lost = missing.map(({ system, why }) => `${system} (${why})`).join(' and ');
  return new UserError('platforms', `${name} would lose ${lost}`, {
    hint: 'An index without it would take the place of one that has it. Fix it, or allow that with allow-missing.',
    docs: 'troubleshooting.md#name-would-lose-system',
  });
}

/** One error for all that a plan cannot do; undefined where there is nothing. */
export function problemsError(
  problems: readonly Problem[],
  images: readonly PlannedImage[] = [],
): UserError | undefined {
  const errors = [
    ...problems.map(({ why, hint }) => new UserError('definition', why, { hint, docs: 'definition.md#name-and-tag' })),
    ...images.flatMap((image) => lostSystems(image) ?? []),
  ];
  const [first] = errors;
  if (first === undefined || errors.length === 1) return first;
  return new UserError(
    first.code,
    `${errors.length} images:${errors.map(({ message }) => `\n  ${message}`).join('')}`,
    { hint: hintsOf(errors), docs: docsOf(errors) },
  );
}
