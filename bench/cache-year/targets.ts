import { SERVICE } from './service.ts';
import type { Outcome, PolicyName } from './simulate.ts';

/** What the plan must be better by than dropping what was not used for longest, where the images need half as much again as there is room. */
const PAST_THE_LIMIT = { live: 15, factor: 1.5 } as const;

/** From how many gigabytes on it must be better than one archive a system, and by what. */
const AGAINST_TARBALL = { live: 8, factor: 1.5 } as const;

/** Gigabytes up to which everything fits. */
const FITS = 8;

/** The most of what is fetched that nobody asked for: see the README. */
const IN_VAIN = 0.25;

/** What a year did not reach of what is promised. */
export function failuresOf(live: number, outcomes: ReadonlyMap<PolicyName, Outcome>): string[] {
  const share = (name: PolicyName): number => outcomes.get(name)?.share ?? Number.NaN;
  const own = share('value, packs');
  const packs = outcomes.get('value, packs');
  const problems: string[] = [];
  function must(what: string, isReached: boolean): void {
    if (!isReached) problems.push(`${live} GB: ${what}`);
  }
  if (live <= FITS) must(`at least ${share('LRU, own')} of LRU, found ${own}`, own >= share('LRU, own'));
  if (live === PAST_THE_LIMIT.live) {
    const wanted = share('LRU, own') * PAST_THE_LIMIT.factor;
    must(`at least ${wanted}, ${PAST_THE_LIMIT.factor} times LRU, found ${own}`, own >= wanted);
  }
  if (live >= AGAINST_TARBALL.live) {
    const wanted = share('tar a system') * AGAINST_TARBALL.factor;
    must(`at least ${wanted}, ${AGAINST_TARBALL.factor} times a tarball, found ${own}`, own >= wanted);
  }
  must('never more than the service has room for', (packs?.most ?? Number.NaN) <= SERVICE.bytes);
  must('nine tenths at the end of each run', packs?.weeks.every((bytes) => bytes <= SERVICE.bytes * 0.9) ?? false);
  must('at most a quarter is fetched in vain', (packs?.inVain ?? Number.NaN) <= IN_VAIN);
  must('nothing is dropped by the service', packs?.evicted === 0);
  return problems;
}
