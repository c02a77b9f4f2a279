import { columns } from '../../src/core/table.ts';
import { PACKED, Planned } from './planned.ts';
import { PathEntries } from './rivals.ts';
import { compare, type Outcome, POLICIES, type PolicyName, simulate } from './simulate.ts';
import { failuresOf } from './targets.ts';
import { runsOfYear, scaledTo } from './year.ts';

/** Gigabytes that all images need at one time; the service has room for 10. */
const LIVE = [4, 8, 12, 15, 16];

const WEEKS = 52;
const SEED = 7;

const names = Object.keys(POLICIES) as PolicyName[];
const percent = (share: number | undefined): string => (share === undefined ? '' : `${(share * 100).toFixed(0)} %`);
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);

const start = performance.now();
const runs = runsOfYear({ weeks: WEEKS, seed: SEED });
const results = LIVE.map((live) => ({
  live,
  outcomes: compare(runs, live * 1e9, names),
}));
const of = (outcomes: ReadonlyMap<PolicyName, Outcome>, name: PolicyName): Outcome => {
  const outcome = outcomes.get(name);
  if (!outcome) throw new TypeError(`${name} was not simulated`);
  return outcome;
};

function print(title: string, rows: readonly (readonly string[])[]): void {
  console.log(`${title}\n`);
  for (const line of columns(rows, rows[0]?.map((_, at) => at) ?? [])) console.log(`  ${line}`);
  console.log('');
}

print('Build seconds served from the cache, by gigabytes that the images need at one time', [
  ['live', ...names],
  ...results.map(({ live, outcomes }) => [`${live} GB`, ...names.map((name) => percent(of(outcomes, name).share))]),
]);
print('Gigabytes uploaded in the year', [
  ['live', ...names],
  ...results.map(({ live, outcomes }) => [
    `${live} GB`,
    ...names.map((name) => gigabytes(of(outcomes, name).uploaded)),
  ]),
]);
print('The budget of "value, packs": the most gigabytes at the end of a run, by week; the plan has 9, the service 10', [
  ['weeks', ...results.map(({ live }) => `${live} GB`)],
  ...Array.from({ length: WEEKS / 4 }, (_, four) => [
    `${four * 4 + 1} to ${four * 4 + 4}`,
    ...results.map(({ outcomes }) =>
      of(outcomes, 'value, packs')
        .weeks.slice(four * 4, four * 4 + 4)
        .map(gigabytes)
        .join(' '),
    ),
  ]),
  ['at any time', ...results.map(({ outcomes }) => gigabytes(of(outcomes, 'value, packs').most))],
  ['dropped by GitHub', ...results.map(({ outcomes }) => String(of(outcomes, 'value, packs').evicted))],
  ['fetched in vain', ...results.map(({ outcomes }) => percent(of(outcomes, 'value, packs').inVain))],
]);

const seldom = { ...PACKED, isKeptAlive: false };
const seldomRuns = scaledTo(4e9, runsOfYear({ weeks: WEEKS, seed: SEED, isSeldom: true }));
print('One run every 7.07 days, 4 GB live: with the keep-alive, and without', [
  ['LRU, own', 'value, packs', 'without keep-alive'],
  [new PathEntries({ isClosure: false, forPullRequests: true }), new Planned(PACKED), new Planned(seldom)].map(
    (policy) => percent(simulate(seldomRuns, policy).share),
  ),
]);

const problems = results.flatMap(({ live, outcomes }) => failuresOf(live, outcomes));
for (const problem of problems) console.log(`not reached: ${problem}`);
console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);
process.exitCode = problems.length > 0 ? 1 : 0;
