import { describe, expect, test } from 'vitest';
import type { StorePathInfo } from '../../../src/definition/closure.ts';
import { planLayers } from '../../../src/definition/layer-plan.ts';
import { storeHash } from '../../../src/definition/store-path.ts';
import { type Change, versionsOf } from './versions.ts';

type Layers = readonly (readonly StorePathInfo[])[];

const TEN: readonly Change[] = [
  'leaf',
  'middle',
  'leaf',
  'added',
  'root',
  'leaf',
  'removed',
  'middle',
  'added',
  'leaf',
];

const bytesOf = (paths: readonly StorePathInfo[]): number => paths.reduce((sum, { narSize }) => sum + narSize, 0);
const nameOf = (layer: readonly StorePathInfo[]): string => layer.map(({ path }) => path).join(' ');

const moved = (layers: Layers, before: Layers): number => {
  const known = new Set(before.map(nameOf));
  return bytesOf(layers.filter((layer) => !known.has(nameOf(layer))).flat());
};

interface Moved {
  readonly change: Change;
  /** Bytes of layers that were not there in the version before, uncompressed. */
  readonly stable: number;
  readonly popular: number;
  /** Bytes of paths that were not there: no plan moves less. */
  readonly floor: number;
}

/** Plans one version after another, with what was grouped before and afresh each time. */
function series(changes: readonly Change[], budget: number, seed: number): Moved[] {
  const [first = [], ...versions] = versionsOf(changes, seed);
  let before = { closure: first, stable: planLayers(first, budget), popular: planLayers(first, budget) };
  return versions.map((closure, at) => {
    const groups = before.stable.map((layer) => layer.map(({ path }) => storeHash(path)));
    const after = { closure, stable: planLayers(closure, budget, groups), popular: planLayers(closure, budget) };
    const result = {
      change: changes[at] ?? 'leaf',
      stable: moved(after.stable, before.stable),
      popular: moved(after.popular, before.popular),
      floor: moved(
        closure.map((info) => [info]),
        before.closure.map((info) => [info]),
      ),
    };
    before = after;
    return result;
  });
}

const sum = (moves: readonly Moved[], what: 'stable' | 'popular' | 'floor'): number =>
  moves.reduce((total, move) => total + move[what], 0);

/** What is sent although it did not change, as a part of what a fresh plan for each version sends so. */
const excess = (moves: readonly Moved[]): number =>
  (sum(moves, 'stable') - sum(moves, 'floor')) / (sum(moves, 'popular') - sum(moves, 'floor'));

describe.each([39, 99])('a closure of 399 paths in %i layers', (budget) => {
  test.each([1, 2, 3, 4, 5])('over ten versions moves less than plans afresh, series %i', (seed) => {
    const moves = series(TEN, budget, seed);
    expect(sum(moves, 'stable')).toBeLessThan(sum(moves, 'popular'));
    expect(excess(moves)).toBeLessThan(0.75);
    // A single change may fall into a layer that happens to be larger than the fresh plan's.
    for (const change of ['leaf', 'added', 'removed'] as const) {
      const same = moves.filter((move) => move.change === change);
      expect(sum(same, 'stable'), change).toBeLessThanOrEqual(sum(same, 'popular') * 1.1);
    }
  });

  test('does not crumble: over a hundred versions it is as good as over ten', () => {
    const changes = Array.from({ length: 10 }, () => TEN).flat();
    const moves = series(changes, budget, 7);
    expect(excess(moves)).toBeLessThan(0.75);
    expect(excess(moves.slice(-20))).toBeLessThan(0.75);
  });
});
