import type { HandoverName } from '../github/handover-name.ts';
import type { Handover } from '../handover/handover.ts';
import type { ImageOutcome } from './present-publish.ts';

/** A handover that a publish took. */
export interface TakenHandover {
  readonly name: HandoverName;
  readonly label: Pick<Handover['label'], 'name' | 'systems'>;
  /** The call that took it, where it has one. */
  readonly call: string | undefined;
}

/** What of handovers is in something that was published. */
function spentBy(outcome: Exclude<ImageOutcome, { readonly error: unknown }>) {
  if ('files' in outcome) return outcome.files;
  const { name, targets, published } = outcome.image;
  return { name, targets, systems: published.platforms.map(({ system }) => system) };
}

/** What a re-run of failed jobs would still need the handovers for; undefined where there is nothing. */
export function whyStay(taken: readonly TakenHandover[], outcomes: readonly ImageOutcome[]): string | undefined {
  const published = outcomes.flatMap((outcome) => ('error' in outcome ? [] : [spentBy(outcome)]));
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) return `${failed.name} is not published`;
  for (const { name, targets } of published)
    if (targets.some(({ failure }) => failure !== undefined)) return `${name} is not at every destination`;
  for (const { label } of taken) {
    const image = published.find(({ name }) => name === label.name);
    if (image === undefined) return `${label.name} is not published`;
    const missing = label.systems.filter((system) => !image.systems.includes(system));
    if (missing.length > 0) return `${label.name} is published without ${missing.join(' and ')}`;
  }
  return undefined;
}
