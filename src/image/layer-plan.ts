import { UserError } from '../io/error.ts';
import { compareBytes } from './bytes.ts';
import type { Closure, StorePathInfo } from './closure.ts';
import { LAYER_LIMIT } from './definition.ts';

/**
 * Below this many bytes a path does not earn a layer of its own where there are more paths than layers: a request costs
 * about as much as sending it.
 */
const WORTH_A_LAYER = 64 * 1024;

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
 * Groups a closure into at most `budget` layers: paths that are large and that many others need stand alone, the rest
 * share one layer. A pure function of the graph. Layers are ordered from what is needed most to what is needed
 * least, paths in a layer by bytes.
 */
export function planLayers(closure: Closure, budget: number): StorePathInfo[][] {
  if (closure.length === 0) return [];
  if (closure.length <= budget) return byWeight(closure).map((info) => [info]);
  const ranked = byWeight(closure).filter((info) => info.narSize >= WORTH_A_LAYER);
  const alone = ranked.slice(0, budget - 1);
  const taken = new Set(alone);
  const rest = closure.filter((info) => !taken.has(info)).sort((a, b) => compareBytes(a.path, b.path));
  return [...alone.map((info) => [info]), ...(rest.length > 0 ? [rest] : [])];
}

/**
 * Most worthy of a layer first: bytes times the number of paths that need them, which is what is not sent again when
 * something else changes, times how likely it is shared with other images.
 */
function byWeight(closure: Closure): StorePathInfo[] {
  const dependents = countDependents(closure);
  const weight = (info: StorePathInfo): number => info.narSize * (dependents.get(info.path) ?? 1);
  return [...closure].sort((a, b) => weight(b) - weight(a) || compareBytes(a.path, b.path));
}

/** For each path, how many paths of the closure need it directly or through others, itself included. */
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
