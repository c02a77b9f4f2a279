import { UserError } from '../core/error.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import {
  type HandoverName,
  type Listed,
  type NamedHandover,
  newestHandovers,
  parseHandoverName,
} from './handover-name.ts';

/** Which handovers are looked for; what is left out is not asked. */
interface Wanted {
  readonly image?: string | undefined;
  /** Handovers of other calls are not taken; those of no call are. */
  readonly call?: string | undefined;
  readonly systems?: readonly System[];
}

/** More names than these help nobody. */
const SHOWN_NAMES = 20;

function nameList(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, SHOWN_NAMES).join(', ');
  return names.length > SHOWN_NAMES ? `${shown} and ${names.length - SHOWN_NAMES} more` : shown;
}

function patterns({ image, call, systems = SYSTEMS }: Wanted): string[] {
  const name = image?.replaceAll('/', '~') ?? 'IMAGE';
  return systems.map((system) => `handover-${name}-${system}-${call === undefined ? '' : `${call}-`}ATTEMPT.tar`);
}

/** Whether an artifact's name is that of a handover that is looked for, of whatever attempt. */
export function isWanted(artifact: string, { image, call, systems }: Wanted): boolean {
  const name = parseHandoverName(artifact);
  return (
    name !== undefined &&
    (image === undefined || image === name.image) &&
    (call === undefined || name.call === undefined || call === name.call) &&
    (systems === undefined || systems.includes(name.system))
  );
}

/** The handover of the call that is wanted, else that of no call. Throws UserError `handover` where several calls made one. */
function ofOneCall<A extends Listed>(same: readonly NamedHandover<A>[], call: string | undefined): NamedHandover<A> {
  const [only, ...others] =
    call === undefined ? same : same.toSorted((a, b) => Number(b.call === call) - Number(a.call === call));
  if (only && (call !== undefined || others.length === 0)) return only;
  throw new UserError(
    'handover',
    `several calls of this run hand over one image: ${nameList(names(same.map(({ artifact }) => artifact)))}`,
    {
      hint: 'Give publish the output `plan` of its own call, so that it takes that one.',
    },
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
  const all = newestHandovers(
    artifacts.filter(({ name }) => isWanted(name, wanted)),
    attempt,
  );
  const found = [...Map.groupBy(all, ({ image, system }) => `${image} ${system}`).values()].map((same) =>
    ofOneCall(same, wanted.call),
  );
  if (found.length > 0) return found;
  const looked = `none of this run's artifacts is a handover: looked for ${patterns(wanted).join(', ')}`;
  const existing = artifacts.length === 0 ? 'the run has no artifacts' : `there are ${nameList(names(artifacts))}`;
  throw new UserError('handover', `${looked}; ${existing}`, {
    hint:
      'See whether the build jobs ran and succeeded. Handovers are kept for a day, or as long as the input retention-days ' +
      'of build says: if they are gone, choose "Re-run all jobs", not only the failed ones.',
  });
}

/**
 * What nobody needs once `taken` is published: those handovers, and what earlier attempts of the same build jobs uploaded. Never
 * those of another image, system or call, nor of an attempt after `attempt`, the run's own.
 */
export const spentHandovers = <A extends Listed>(
  artifacts: readonly A[],
  taken: readonly HandoverName[],
  attempt: number,
): A[] =>
  artifacts.filter((artifact) => {
    const name = parseHandoverName(artifact.name);
    if (name === undefined || name.attempt > attempt) return false;
    return taken.some((one) => one.image === name.image && one.system === name.system && one.call === name.call);
  });

const names = (artifacts: readonly { readonly name: string }[]): string[] => artifacts.map(({ name }) => name);
