import { countText } from '../core/count.ts';
import { sizeText } from '../core/size.ts';

/** Storage for artifacts of GitHub's smallest plan, of all private repositories of the account together (docs.github.com, "GitHub Actions billing"). */
const SMALLEST_QUOTA = 500_000_000;

/** The part of it above which one image of one run is told of. */
const WORTH_TELLING = 0.25;

/** A handover that was uploaded with its layers. */
interface StoredHandover {
  /** Of this system's artifact. */
  readonly bytes: number;
  /** How many systems the image has, each with an artifact of about this size. */
  readonly systems: number;
  readonly days: number;
  /** Undefined where the event does not say it. */
  readonly isPrivate: boolean | undefined;
}

/**
 * What a handover with layers means for the account's storage; undefined where it is small, or storage costs nothing. How much there is and how much
 * of it is used, GitHub tells no token of a job, and what is deleted counts for another 6 to 12 hours.
 */
export function storageWarning({ bytes, systems, days, isPrivate }: StoredHandover): string | undefined {
  const run = bytes * systems;
  if (isPrivate === false || run < SMALLEST_QUOTA * WORTH_TELLING) return undefined;
  const whose = isPrivate === undefined ? 'in a private repository each run keeps' : 'each run keeps';
  return (
    `${whose} about ${sizeText(run)} of this image in the account's storage for artifacts, for ${countText(days, 'day')}; it has ${sizeText(SMALLEST_QUOTA)} on GitHub's ` +
    'Free plan, and is counted again every 6 to 12 hours only. With `to` and a login here, the layers go to the registry instead'
  );
}
