import { UserError } from '../core/error.ts';
import { fileInstallable, type Installable, parseInstallable } from '../nix/installable.ts';

/** The installables that a command was given. Throws UserError `input` when flake and file are mixed. */
export function installables(
  given: readonly string[],
  file: string | undefined,
  attr: string | undefined,
): Installable[] {
  if (file !== undefined) {
    if (given.length > 0) {
      throw new UserError('input', `both ${given[0]} and --file ${file} are given`, {
        hint: 'Name a flake or a file, not both.',
      });
    }
    return [fileInstallable(file, attr)];
  }
  if (attr !== undefined) {
    throw new UserError('input', '--attr is given without --file', {
      hint: 'Write FLAKE#NAME, or --file FILE -A ATTR.',
    });
  }
  return given.map(parseInstallable);
}
