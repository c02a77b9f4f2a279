import type { Plan } from './plan.ts';
import { isWarning } from './problems.ts';
import { shortReason } from './short-reason.ts';

/** What was left out and is passed on at most: the plan's own log and summary say it too. */
const MOST_LEFT_OUT = 10;

/** Characters of a reason; Nix's traces may have thousands. */
const LONGEST_REASON = 300;

/**
 * Bytes of a plan that goes by a job's output as it is. It reaches `publish` in an environment variable, of which Linux takes
 * 128 KiB (execve(2)), and a job's outputs are 1 MB together; a larger one goes by an artifact.
 */
export const MOST_INLINE_BYTES = 64 * 1024;

const short = (why: string): string => shortReason(why).slice(0, LONGEST_REASON);

/**
 * The plan as `publish` needs it: without the reasons for what was taken, and of what was left out only what looks like an
 * image. A flake may have a thousand packages that do not evaluate and concern nobody.
 */
export const passedOn = (plan: Plan): Plan => ({
  ...plan,
  images: plan.images.map((image) => ({
    ...image,
    why: '',
    missing: image.missing.map(({ system, why }) => ({ system, why: short(why) })),
  })),
  leftOut: plan.leftOut
    .filter(isWarning)
    .slice(0, MOST_LEFT_OUT)
    .map((item) => ({ ...item, why: short(item.why) })),
});
