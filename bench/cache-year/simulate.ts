import { PACKED, Planned } from './planned.ts';
import { PathEntries, type Policy, TarballOfJob, TarballOfSystem } from './rivals.ts';
import { type Run, scaledTo } from './year.ts';

/** The ways to use the cache that are compared. */
export const POLICIES = {
  'tar a job': () => new TarballOfJob(),
  'tar a system': () => new TarballOfSystem(),
  'LRU, closure': () => new PathEntries({ isClosure: true, forPullRequests: true }),
  'LRU, own': () => new PathEntries({ isClosure: false, forPullRequests: true }),
  'LRU, own, pushes': () => new PathEntries({ isClosure: false, forPullRequests: false }),
  value: () => new Planned({ ...PACKED, packLimit: 0 }),
  'value, packs': () => new Planned(PACKED),
  'no limit': () => new PathEntries({ isClosure: false, forPullRequests: false, limit: Number.POSITIVE_INFINITY }),
} as const satisfies Readonly<Record<string, () => Policy>>;

export type PolicyName = keyof typeof POLICIES;

/** What a year came to. */
export interface Outcome {
  /** Of the seconds that all jobs would have built, the part that was served from the cache. */
  readonly share: number;
  readonly uploaded: number;
  /** For each week, the most bytes at the end of a run. */
  readonly weeks: readonly number[];
  /** The most bytes at any time, and how many entries the service dropped because there were too many. */
  readonly most: number;
  readonly evicted: number;
  /** Of the bytes of packs that were fetched, those that nobody asked for; undefined without packs. */
  readonly inVain: number | undefined;
}

/** Hours of a week at which packs are kept alive: twice, or some would be just too young and be dropped before the next time. */
const KEEP_ALIVE_HOURS = [40, 124];

const HOURS_A_WEEK = 168;

/** Runs some weeks under one policy. */
export function simulate(runs: readonly Run[], policy: Policy): Outcome {
  const weeks: number[] = [];
  let asked = 0;
  let served = 0;
  let kept = 0;
  for (const run of runs) {
    for (let hour = kept; hour <= run.hour; hour += 1) {
      policy.service.at(hour);
      if (KEEP_ALIVE_HOURS.includes(hour % HOURS_A_WEEK) && policy instanceof Planned) policy.keepAlive(hour);
    }
    kept = run.hour + 1;
    const results = policy.run(run);
    for (const [at, { paths }] of run.jobs.entries()) {
      for (const { path, seconds } of paths) {
        asked += seconds;
        served += results[at]?.has(path) ? seconds : 0;
      }
    }
    weeks[run.week] = Math.max(weeks[run.week] ?? 0, policy.service.bytes);
  }
  const { most, uploaded, evicted } = policy.service;
  const inVain = policy instanceof Planned && policy.fetched > 0 ? policy.inVain / policy.fetched : undefined;
  return { share: served / asked, uploaded, weeks, most, evicted, inVain };
}

/** Policies over the same runs, whose images need `live` bytes at one time. */
export function compare(
  runs: readonly Run[],
  live: number,
  names: readonly PolicyName[],
): ReadonlyMap<PolicyName, Outcome> {
  const scaled = scaledTo(live, runs);
  return new Map(names.map((name) => [name, simulate(scaled, POLICIES[name]())]));
}
