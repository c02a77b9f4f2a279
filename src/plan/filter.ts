import { UserError } from '../core/error.ts';
import { globFilter, globMatches } from '../core/glob.ts';
import { SYSTEMS, type System } from '../oci/system.ts';

/** The systems that pass. Throws UserError `input` for a glob that matches no known one, or when none is left. */
export function filterSystems(globs: readonly string[]): readonly System[] {
  for (const glob of globs) {
    if (SYSTEMS.some((system) => globMatches(glob.replace(/^!/, ''), system))) continue;
    throw new UserError('input', `systems: ${JSON.stringify(glob)} matches no system`, {
      hint: `Images are built for ${SYSTEMS.join(' and ')}.`,
    });
  }
  const passes = globFilter(globs);
  const systems = SYSTEMS.filter((system) => passes([system]));
  if (systems.length > 0) return systems;
  throw new UserError('input', `systems: ${globs.join(', ')} leave no systems`, {
    hint: `Images are built for ${SYSTEMS.join(' and ')}.`,
  });
}
