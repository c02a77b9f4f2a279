import type { Closure } from '../../src/definition/closure.ts';
import { planFleet } from '../../src/definition/fleet-plan.ts';
import { planLayers } from '../../src/definition/layer-plan.ts';
import { storeHash } from '../../src/definition/store-path.ts';

type Layers = readonly Closure[];

/** Layers of each image of a fleet, by one rule; `before` are those of the fleet before a change, for rules that look at them. */
type Rule = (closures: readonly Closure[], before: readonly Layers[] | undefined) => readonly Layers[];

/** Layers that each tool's own default gives an image, the one for what is not in the store left out. */
const LAYERS = 99;

/**
 * How often a path is met on all ways from the top, as nixpkgs' references-by-popularity.py counts; nix2container's `maxLayers` orders by the same.
 */
export function popularity(closure: Closure): ReadonlyMap<string, number> {
  const referrers = new Map<string, string[]>();
  for (const { path, references } of closure)
    for (const reference of references)
      if (reference !== path) referrers.set(reference, [...(referrers.get(reference) ?? []), path]);
  const found = new Map<string, number>();
  const of = (path: string): number => {
    const known = found.get(path);
    if (known !== undefined) return known;
    const its = referrers.get(path);
    const count = its === undefined ? 1 : its.reduce((sum, referrer) => sum + of(referrer), 0);
    found.set(path, count);
    return count;
  };
  for (const { path } of closure) of(path);
  return found;
}

/** The most popular paths stand alone, all others are one layer. */
function byPopularity(closure: Closure): Layers {
  const counts = popularity(closure);
  const ranked = [...closure].sort(
    (a, b) => (counts.get(b.path) ?? 0) - (counts.get(a.path) ?? 0) || (a.path < b.path ? -1 : 1),
  );
  const rest = ranked.slice(LAYERS - 1);
  return [...ranked.slice(0, LAYERS - 1).map((info) => [info]), ...(rest.length > 0 ? [rest] : [])];
}

const hashes = (layers: Layers | undefined): string[][] =>
  layers?.map((layer) => layer.map(({ path }) => storeHash(path))) ?? [];

/** Rules of how a closure becomes layers, by whose they are. */
export const RULES: Readonly<Record<string, Rule>> = {
  'nix-images, images of a job together': (closures, before) =>
    planFleet(closures.map((closure, at) => ({ closure, budget: LAYERS, previous: hashes(before?.[at]) }))),
  'nix-images, each image alone': (closures, before) =>
    closures.map((closure, at) => planLayers(closure, LAYERS, hashes(before?.[at]))),
  'dockerTools (and nix2container with maxLayers = 100)': (closures) => closures.map(byPopularity),
  'nix2container, by default': (closures) => closures.map((closure) => [closure]),
};

export interface Shared {
  readonly rule: string;
  /** Layers over all images, and those that are different. */
  readonly layers: number;
  readonly distinct: number;
  /** Bytes of the different layers, unpacked, for each byte of the different paths. */
  readonly overhead: number;
  /** Bytes of layers that a change makes anew, for each byte of paths that it does. */
  readonly changed: number;
}

const bytesOf = (infos: Iterable<Closure[number]>): number => [...infos].reduce((sum, info) => sum + info.narSize, 0);

const nameOf = (layer: Closure): string =>
  layer
    .map(({ path }) => path)
    .sort()
    .join(' ');

const distinctLayers = (plans: readonly Layers[]): ReadonlyMap<string, Closure> =>
  new Map(plans.flat().map((layer) => [nameOf(layer), layer]));

const distinctPaths = (closures: readonly Closure[]): ReadonlyMap<string, Closure[number]> =>
  new Map(closures.flat().map((info) => [info.path, info]));

/** What each rule makes of a fleet, and of the same after a change. */
export function shareBy(rules: typeof RULES, base: readonly Closure[], after: readonly Closure[]): Shared[] {
  const paths = distinctPaths(base);
  const newPaths = [...distinctPaths(after).values()].filter(({ path }) => !paths.has(path));
  return Object.entries(rules).map(([rule, plan]) => {
    const before = plan(base, undefined);
    const layers = distinctLayers(before);
    const added = [...distinctLayers(plan(after, before))].filter(([name]) => !layers.has(name));
    return {
      rule,
      layers: before.flat().length,
      distinct: layers.size,
      overhead: bytesOf([...layers.values()].flat()) / bytesOf(paths.values()),
      changed: bytesOf(added.flatMap(([, layer]) => layer)) / bytesOf(newPaths),
    };
  });
}
