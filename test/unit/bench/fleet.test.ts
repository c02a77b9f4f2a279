import { expect, test } from 'vitest';
import { type FleetRun, fleetRatios, fleetText, madeLayers, missedFleet } from '../../../bench/fleet/measure.ts';
import { popularity, RULES, shareBy } from '../../../bench/fleet/rules.ts';
import { fleetSets } from '../../../bench/fleet/sets.ts';

const run = (kind: FleetRun['kind'], wallSeconds: number, bytesSent: number, distinctBytes: number): FleetRun => ({
  ...{ kind, wallSeconds, bytesSent, distinctBytes },
  ...{ cpuSeconds: 20, registryCpuSeconds: 5, requests: 40 },
  ...{ layers: 10, distinct: 5, compressed: 5, memory: 1e8 },
});

test.each([
  [12, 1010, []],
  [14, 1010, ['wall']],
  [12, 1100, ['sent']],
])('%d s and %d bytes beside 10 s and 1000 bytes of one image', (seconds, bytes, missed) => {
  const runs = [run('fleet', seconds, bytes, 1000), run('union', 10, 1000, 1000)];
  expect(missedFleet({ runs })).toEqual(missed);
  expect(fleetRatios({ runs }).wall).toBeCloseTo(seconds / 10);
  expect(fleetText({ runs, shared: [], loadBefore: 0 })).toContain(missed.includes('wall') ? 'missed' : 'reached');
});

test('a layer that is compressed twice is a bound missed', () => {
  const said =
    'f01: x86_64-linux: 4 new layers, 3.4 MB\nf02: x86_64-linux: 1 new layer, 12 kB, and 3 that other images have\n';
  expect(madeLayers(said)).toBe(5);
  const fleet = { ...run('fleet', 10, 1000, 1000), compressed: madeLayers(said) + 1 };
  expect(missedFleet({ runs: [fleet, run('union', 10, 1000, 1000)] })).toEqual(['compressed']);
});

const path = (name: string, narSize: number, ...references: readonly string[]) => ({
  path: `/nix/store/${name.padStart(32, '0')}-${name}`,
  narHash: '',
  narSize,
  references: references.map((reference) => `/nix/store/${reference.padStart(32, '0')}-${reference}`),
});

test('popularity counts every way from the top', () => {
  const closure = [path('app', 1, 'x', 'y'), path('x', 1, 'base'), path('y', 1, 'base', 'x'), path('base', 1)];
  const counts = popularity(closure);
  expect(closure.map((info) => counts.get(info.path))).toEqual([1, 2, 1, 3]);
});

test('what a rule makes of a fleet, and of a change', () => {
  const base = ['a', 'b'].map((name) => [path('lib', 900), path(`app-${name}`, 50, 'lib')]);
  const after = ['a', 'b'].map((name) => [path('lib', 900), path(`new-${name}`, 50, 'lib')]);
  const shared = shareBy(RULES, base, after);
  expect(shared.map(({ overhead }) => Number(overhead.toFixed(2)))).toEqual([1, 1, 1, 1.9]);
  expect(shared.map(({ changed }) => changed)).toEqual([1, 1, 1, 19]);
});

test('the fleet has twenty images, none the same as all packages', () => {
  const sets = Object.values(fleetSets('large'));
  expect(sets).toHaveLength(20);
  expect(new Set(sets.map((set) => set.split(' ').length))).toEqual(new Set([4]));
  expect(new Set(Object.values(fleetSets('small')))).toEqual(new Set(['python3']));
});
