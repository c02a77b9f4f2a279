import { UserError } from '../core/error.ts';

/** What may be asked for in a workflow. */
export const HANDOVER_CHOICES = ['auto', 'artifact', 'registry', 'report', 'none'] as const;

export type HandoverChoice = (typeof HANDOVER_CHOICES)[number];

/**
 * Where a build job leaves the layers: with the handover, in the registry, or nowhere. Of the latter, `report` leaves what is in the image
 * (its manifest and config) for the run's summary, and `none` leaves nothing.
 */
export type HandoverMode = Exclude<HandoverChoice, 'auto'>;

/** @internal */
export interface ModeFacts {
  readonly asked: HandoverChoice;
  /** Whether a registry to push to is named. */
  readonly hasDestination: boolean;
  /** Whether there are credentials for it. */
  readonly hasCredentials: boolean;
  /** Whether the job builds a stranger's pull request. */
  readonly isFork: boolean;
  /** Whether the job builds what a merge queue tries. */
  readonly isMergeQueue: boolean;
}

/**
 * Chooses the mode by what the job may do, and says why. A fork's code is built and reported on, and its layers leave
 * the job only when that is asked for; never to a registry. Throws UserError `input` where what is asked cannot be.
 */
export function chooseMode(facts: ModeFacts): { readonly mode: HandoverMode; readonly why: string } {
  const { asked, hasDestination, hasCredentials, isFork, isMergeQueue } = facts;
  if (asked === 'registry') {
    if (!hasDestination) {
      throw new UserError('input', 'handover: registry is asked for, but `to` names none', {
        hint: 'Give `to`, such as ghcr.io/org/app.',
      });
    }
    if (!isFork) return { mode: 'registry', why: 'asked for' };
    throw new UserError('input', "handover: registry is asked for in a fork's pull request", {
      hint: "Use handover: auto, which only builds and reports there: a stranger's layers must not reach the registry.",
      docs: 'security.md#forks',
    });
  }
  if (asked !== 'auto') return { mode: asked, why: 'asked for' };
  if (isFork) return { mode: 'report', why: "a fork's pull request is built and reported on, not handed over" };
  if (isMergeQueue) return { mode: 'none', why: 'what a merge queue tries is built and reported on, not handed over' };
  if (hasDestination && hasCredentials) return { mode: 'registry', why: 'there are credentials for the destination' };
  return {
    mode: 'artifact',
    why: hasDestination ? 'there are no credentials for the destination' : 'no destination is named',
  };
}
