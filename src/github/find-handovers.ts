import { SYSTEMS, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { type Listed, type NamedHandover, newestHandovers, parseHandoverName } from './handover-name.ts';

/** Which handovers are looked for; what is left out is not asked. */
export interface Wanted {
  readonly image?: string | undefined;
  readonly systems?: readonly System[];
}

/** More names than these help nobody. */
const SHOWN_NAMES = 20;

const nameList = (names: readonly string[]): string => {
  const shown = [...names].sort().slice(0, SHOWN_NAMES).join(', ');
  return names.length > SHOWN_NAMES ? `${shown} and ${names.length - SHOWN_NAMES} more` : shown;
};

const patterns = ({ image, systems = SYSTEMS }: Wanted): string[] =>
  systems.map((system) => `handover-${image?.replaceAll('/', '~') ?? 'IMAGE'}-${system}-ATTEMPT.tar`);

/** Whether an artifact's name is that of a handover that is looked for, of whatever attempt. */
export function isWanted(artifact: string, { image, systems }: Wanted): boolean {
  const name = parseHandoverName(artifact);
  return (
    name !== undefined &&
    (image === undefined || image === name.image) &&
    (systems === undefined || systems.includes(name.system))
  );
}

/**
 * The newest handover, up to an attempt, for each image and system that is wanted. A system that is missing is for the
 * caller to judge; throws UserError `handover` when there is none at all, with the names that were looked for and those that exist.
 */
export function findHandovers<A extends Listed>(
  artifacts: readonly A[],
  attempt: number,
  wanted: Wanted = {},
): NamedHandover<A>[] {
  const found = newestHandovers(
    artifacts.filter(({ name }) => isWanted(name, wanted)),
    attempt,
  );
  if (found.length > 0) return found;
  const looked = `none of this run's artifacts is a handover: looked for ${patterns(wanted).join(', ')}`;
  const existing = artifacts.length === 0 ? 'the run has no artifacts' : `there are ${nameList(names(artifacts))}`;
  throw new UserError('handover', `${looked}; ${existing}`, {
    hint:
      'See whether the build jobs ran and succeeded. Handovers are kept for a day: if they are gone, run all jobs ' +
      'again, not only the failed ones.',
  });
}

const names = (artifacts: readonly { readonly name: string }[]): string[] => artifacts.map(({ name }) => name);
