import { describe, expect, test } from 'vitest';
import { PACKED, Planned } from '../../../bench/cache-year/planned.ts';
import { PathEntries } from '../../../bench/cache-year/rivals.ts';
import { compare, type PolicyName, simulate } from '../../../bench/cache-year/simulate.ts';
import { failuresOf } from '../../../bench/cache-year/targets.ts';
import { runsOfYear, scaledTo } from '../../../bench/cache-year/year.ts';

/** A quarter of a year: `node bench/cache-year/main.ts` does all of it, with all policies. */
const WEEKS = 13;
const NAMES: readonly PolicyName[] = ['tar a system', 'LRU, own', 'value, packs'];

const runs = runsOfYear({ weeks: WEEKS, seed: 7 });
const outcomesAt = new Map([4, 8, 15].map((live) => [live, compare(runs, live * 1e9, NAMES)]));

describe('the cache over a quarter of a year', () => {
  test.each([
    ...outcomesAt,
  ])('with %i GB that the images need at one time reaches what is promised', (live, outcomes) => {
    expect(failuresOf(live, outcomes)).toEqual([]);
  });

  test('equal seeds give equal runs, and others do not', () => {
    expect(runsOfYear({ weeks: 2, seed: 7 })).toEqual(runs.filter(({ week }) => week < 2));
    expect(runsOfYear({ weeks: 2, seed: 8 })).not.toEqual(runs.filter(({ week }) => week < 2));
  });

  test('a run a week is served nothing by the service itself, and most of it where packs are kept alive', () => {
    const seldom = scaledTo(4e9, runsOfYear({ weeks: WEEKS, seed: 7, isSeldom: true }));
    expect(simulate(seldom, new PathEntries({ isClosure: false, forPullRequests: true })).share).toBe(0);
    expect(simulate(seldom, new Planned({ ...PACKED, isKeptAlive: false })).share).toBe(0);
    expect(simulate(seldom, new Planned(PACKED)).share).toBeGreaterThan(0.3);
  });

  test('a budget that is not kept is noticed', () => {
    const outcomes = outcomesAt.get(8);
    const packs = outcomes?.get('value, packs');
    if (!outcomes || !packs) throw new Error('not simulated');
    const weeks = packs.weeks.with(5, 9.1e9);
    expect(failuresOf(8, new Map(outcomes).set('value, packs', { ...packs, weeks }))).toEqual([
      '8 GB: nine tenths at the end of each run',
    ]);
    expect(failuresOf(8, new Map(outcomes).set('value, packs', { ...packs, share: 0.1 }))).toHaveLength(2);
  });
});
