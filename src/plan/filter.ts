import { SYSTEMS, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';

const toExpression = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*+/g, '.*')
      .replace(/\?/g, '.')}$`,
    's',
  );

/**
 * A filter of names by globs (`*`, `?`): a name passes that one of them matches, or all where every glob excludes,
 * unless one that begins with `!` matches it. Each name is given in all its spellings.
 */
export function globFilter(globs: readonly string[]): (spellings: readonly string[]) => boolean {
  const excluding = globs.filter((glob) => glob.startsWith('!')).map((glob) => toExpression(glob.slice(1)));
  const including = globs.filter((glob) => !glob.startsWith('!')).map(toExpression);
  const matches = (expressions: readonly RegExp[], spellings: readonly string[]): boolean =>
    expressions.some((expression) => spellings.some((name) => expression.test(name)));
  return (spellings) => (including.length === 0 || matches(including, spellings)) && !matches(excluding, spellings);
}

/** The systems that pass. Throws UserError `input` for a glob that matches no known one, or when none is left. */
export function filterSystems(globs: readonly string[]): readonly System[] {
  for (const glob of globs) {
    if (SYSTEMS.some((system) => toExpression(glob.replace(/^!/, '')).test(system))) continue;
    throw new UserError('input', `systems: ${JSON.stringify(glob)} matches no system`, {
      hint: `Images are built for ${SYSTEMS.join(' and ')}.`,
    });
  }
  const passes = globFilter(globs);
  const systems = SYSTEMS.filter((system) => passes([system]));
  if (systems.length > 0) return systems;
  throw new UserError('input', `systems: ${globs.join(', ')} leave no system`, {
    hint: `Images are built for ${SYSTEMS.join(' and ')}.`,
  });
}
