import { UserError } from '../core/error.ts';
import type { LeftOut, PlannedImage, Problem } from './plan.ts';

/** Whether something that is left out is news: it looks like an image, and should be one. */
export const isWarning = ({ broken, image }: LeftOut): boolean => broken && image;

/** The error for an image that has lost systems which it is published for; undefined where it has not. */
export function lostSystems({ name, missing }: Pick<PlannedImage, 'name' | 'missing'>): UserError | undefined {
  if (missing.length === 0) return undefined;
  const lost = missing.map(({ system, why }) => `${system} (${why})`).join(' and ');
  return new UserError('platforms', `${name} would lose ${lost}`, {
    hint: 'An index without it would take the place of one that has it. Fix it, or allow that with allow-missing.',
  });
}

/** One error for all that a plan cannot do; undefined where there is nothing. */
export function problemsError(
  problems: readonly Problem[],
  images: readonly PlannedImage[] = [],
): UserError | undefined {
  const errors = [
    ...problems.map(({ why, hint }) => new UserError('definition', why, { hint, docs: 'definition.md' })),
    ...images.flatMap((image) => lostSystems(image) ?? []),
  ];
  const [first] = errors;
  if (first === undefined || errors.length === 1) return first;
  const hints = [...new Set(errors.flatMap(({ hint }) => hint ?? []))];
  return new UserError(
    first.code,
    `${errors.length} images:${errors.map(({ message }) => `\n  ${message}`).join('')}`,
    {
      hint: hints.slice(0, 3).join('\n'),
    },
  );
}
