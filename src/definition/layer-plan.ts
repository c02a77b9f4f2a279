import { compareBytes } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import type { Closure, StorePathInfo } from './closure.ts';
import { LAYER_LIMIT } from './definition.ts';
import { storeHash } from './store-path.ts';

/**
 * Below this many bytes a path does not earn a layer of its own where there are more paths than layers: a request costs
 * about as much as sending it.
 */
export const WORTH_A_LAYER = 64 * 1024;

/**
 * One layer in so many is a shared one: a change of a small path then sends a small part of all small paths again, and
 * still most layers are left for the large ones.
 */
const SHARED_ONE_IN = 5;

/**
 * How many layers the store paths may take: what `maxLayers` leaves beside the base's layers and the root layer.
 * Throws UserError `definition` when that is less than nothing, or nothing although there are `paths`.
 */
export function layerBudget(maxLayers: number, baseLayers: number, hasRoot: boolean, paths: number): number {
  const others = baseLayers + (hasRoot ? 1 : 0);
  const budget = Math.min(maxLayers, LAYER_LIMIT) - others;
  if (budget >= Math.min(paths, 1)) return budget;
  throw new UserError(
    'definition',
    `maxLayers: ${maxLayers} leaves too few layers: the base has ${baseLayers}${hasRoot ? ', the root takes 1' : ''}${paths > 0 ? ', the closure needs 1' : ''}`,
    { hint: `Raise maxLayers (at most ${LAYER_LIMIT}, base included) or use a base with fewer layers.` },
  );
}

/**
 * Groups a closure into at most `budget` layers; every path is in exactly one. A pure function of the graph and of
 * `previous`, the store hashes of the layers of the image before, in their order.
 *
 * Layers of the image before whose paths are all still there stay as they were, so that they need not be sent again.
 * What is new, and what is left of layers that lost a path, is planned afresh in the room that remains: large paths
 * that many others need stand alone, the rest shares layers with its like. Kept layers come first, in their old order.
 */
export function planLayers(
  closure: Closure,
  budget: number,
  previous: readonly (readonly string[])[] = [],
): StorePathInfo[][] {
  if (closure.length === 0) return [];
  const kept = keptLayers(closure, previous);
  const fresh = withoutPaths(closure, kept);
  const room = roomFor(kept, fresh, budget);
  const staying = kept.filter((layer) => !room.givenUp.has(layer));
  // What changed gets as many shared layers as are gone: with fewer, small paths would end up in one layer that every
  // change touches, and stay there.
  const shared = Math.floor(budget / SHARED_ONE_IN) - staying.filter((layer) => layer.length > 1).length;
  const rest = withoutPaths(closure, staying);
  return [...staying, ...planFresh(closure, rest, budget - staying.length, Math.max(1, shared))];
}

/** Layers of an image before whose paths are all still there, in their order. */
export function keptLayers(closure: Closure, previous: readonly (readonly string[])[]): StorePathInfo[][] {
  const byHash = new Map(closure.map((info) => [storeHash(info.path), info]));
  const layers: StorePathInfo[][] = [];
  for (const hashes of previous) {
    const paths = hashes.flatMap((hash) => byHash.get(hash) ?? []);
    // A path that two old layers claim stays with the first.
    if (hashes.length === 0 || paths.length !== hashes.length) continue;
    for (const hash of hashes) byHash.delete(hash);
    layers.push(paths);
  }
  return layers;
}

/** Paths of a closure that are in none of these layers, in its order. */
export function withoutPaths(closure: Closure, layers: readonly (readonly StorePathInfo[])[]): StorePathInfo[] {
  const taken = new Set(layers.flat());
  return closure.filter((info) => !taken.has(info));
}

/** Old layers that must be planned again because all would be more than the budget: the smallest, which cost least to send. */
export function roomFor(
  kept: readonly StorePathInfo[][],
  fresh: readonly StorePathInfo[],
  budget: number,
): { readonly givenUp: ReadonlySet<StorePathInfo[]> } {
  const excess = kept.length + (fresh.length > 0 ? 1 : 0) - budget;
  if (excess <= 0) return { givenUp: new Set() };
  // One more than the excess, for what is given up needs a layer itself.
  const smallest = [...kept].sort((a, b) => bytesOf(a) - bytesOf(b));
  return { givenUp: new Set(smallest.slice(0, fresh.length > 0 ? excess : excess + 1)) };
}

const bytesOf = (layer: readonly StorePathInfo[]): number => layer.reduce((sum, info) => sum + info.narSize, 0);

/** Plans paths into at most `budget` layers, of which `wanted` are shared ones where they cannot all stand alone. */
function planFresh(
  closure: Closure,
  fresh: readonly StorePathInfo[],
  budget: number,
  wanted: number,
): StorePathInfo[][] {
  if (fresh.length === 0) return [];
  const dependents = countDependents(closure);
  const weight = (info: StorePathInfo): number => info.narSize * (dependents.get(info.path) ?? 1);
  const ranked = [...fresh].sort((a, b) => weight(b) - weight(a) || compareBytes(a.path, b.path));
  if (ranked.length <= budget) return ranked.map((info) => [info]);
  const shared = Math.min(wanted, budget);
  const alone = ranked.filter((info) => info.narSize >= WORTH_A_LAYER).slice(0, budget - shared);
  const taken = new Set(alone);
  const rest = ranked.filter((info) => !taken.has(info));
  return [...alone.map((info) => [info]), ...shareLayers(rest, Math.min(shared, budget - alone.length), dependents)];
}

/**
 * Splits paths into `count` layers of about equal bytes. What many paths need changes seldom and what few need often,
 * so paths that are needed about equally stand together.
 */
function shareLayers(
  paths: readonly StorePathInfo[],
  count: number,
  dependents: ReadonlyMap<string, number>,
): StorePathInfo[][] {
  const needed = (info: StorePathInfo): number => dependents.get(info.path) ?? 1;
  const sorted = [...paths].sort((a, b) => needed(b) - needed(a) || compareBytes(a.path, b.path));
  const share = bytesOf(sorted) / count;
  const layers = Array.from({ length: count }, (): StorePathInfo[] => []);
  let bytes = 0;
  for (const info of sorted) {
    layers[share === 0 ? 0 : Math.min(count - 1, Math.floor(bytes / share))]?.push(info);
    bytes += info.narSize;
  }
  // By bytes inside a layer, so that its key does not depend on how often its paths are needed.
  return layers.filter((layer) => layer.length > 0).map((layer) => layer.sort((a, b) => compareBytes(a.path, b.path)));
}

/** @internal For each path, how many paths of the closure need it directly or through others, itself included. */
export function countDependents(closure: Closure): Map<string, number> {
  const index = new Map(closure.map((info, at) => [info.path, at]));
  const referrers: number[][] = closure.map(() => []);
  closure.forEach((info, at) => {
    for (const reference of info.references) {
      const target = index.get(reference);
      if (target !== undefined && target !== at) referrers[target]?.push(at);
    }
  });
  return new Map(closure.map((info, at) => [info.path, reachable(at, referrers)]));
}

function reachable(start: number, edges: readonly (readonly number[])[]): number {
  const seen = new Set([start]);
  const todo = [start];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    for (const next of edges[at] ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      todo.push(next);
    }
  }
  return seen.size;
}
