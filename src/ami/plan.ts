import type { Estimate, Step } from './step.ts';
import type { AmiPlace } from './survey.ts';
import type { Wanted } from './wanted.ts';

/** What is to be done, in an order in which each step stands behind those that it needs. */
export interface AmiPlan {
  readonly version: 1;
  readonly account: string;
  /** Region that the disks are uploaded to. */
  readonly home: string;
  readonly wanted: Wanted;
  readonly places: readonly AmiPlace[];
  readonly steps: readonly Step[];
  /** Regions that may fail and are left out, with the reason. */
  readonly unreached: ReadonlyMap<string, string>;
  readonly total: Estimate;
}

/** The disk and region that a step is about. */
export function placeOfStep(
  { places, wanted }: Pick<AmiPlan, 'places' | 'wanted'>,
  step: Pick<Step, 'region' | 'disk'>,
): AmiPlace {
  const found = places.find(({ region, disk }) => region === step.region && disk === wanted.disks[step.disk]);
  if (found) return found;
  throw new RangeError(`no place for disk ${step.disk} in ${step.region}`);
}
