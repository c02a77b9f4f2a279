import { type CachedClosure, type CachedPack, type CachedPath, type CacheIndex, INDEX_VERSION } from './cache-index.ts';

/**
 * Joins indexes: the one before and those of build jobs, the most trusted first. A path that several have is taken from the
 * first of them (two jobs built it, or two attempts of one); the pack of the other copy stays in the list, so that the plan
 * of the budget finds it without use. Of the closures of one image the newest counts.
 */
export function mergeIndexes(indexes: readonly CacheIndex[]): CacheIndex {
  const packs = new Map<string, { readonly pack: CachedPack; readonly at: number }>();
  const paths = new Map<string, CachedPath>();
  const closures = new Map<string, CachedClosure>();
  for (const index of indexes) {
    for (const pack of index.packs) if (!packs.has(pack.key)) packs.set(pack.key, { pack, at: packs.size });
    for (const path of index.paths) {
      const known = paths.get(path.path);
      paths.set(path.path, known ? joined(known, path) : renumbered(path, index, (key) => packs.get(key)?.at));
    }
    for (const closure of index.closures) {
      const name = JSON.stringify([closure.system, closure.image]);
      if (closure.at > (closures.get(name)?.at ?? -1)) closures.set(name, closure);
    }
  }
  return {
    version: INDEX_VERSION,
    packs: [...packs.values()].map(({ pack }) => pack),
    paths: [...paths.values()],
    closures: [...closures.values()],
  };
}

/** The first copy, with what only the other one knows. A job that took the path from the cache could not measure it. */
const joined = (first: CachedPath, other: CachedPath): CachedPath => ({
  ...first,
  seconds: Math.max(first.seconds, other.seconds),
  used: Math.max(first.used, other.used),
});

function renumbered(path: CachedPath, from: CacheIndex, placeOf: (key: string) => number | undefined): CachedPath {
  const pieces = path.pieces.map((piece) => {
    const place = placeOf(from.packs[piece.pack]?.key ?? '');
    if (place === undefined) throw new TypeError(`${path.path} is in a pack that its index does not have`);
    return { ...piece, pack: place };
  });
  return { ...path, pieces };
}

/** The index without some packs, and without the paths that have a piece in one of them. */
export function keepPacks(index: CacheIndex, isKept: (pack: CachedPack) => boolean): CacheIndex {
  const packs = index.packs.filter(isKept);
  const places = new Map(packs.map(({ key }, at) => [key, at]));
  const placeOf = (pack: number): number | undefined => places.get(index.packs[pack]?.key ?? '');
  const isWhole = ({ pieces }: CachedPath): boolean => pieces.every(({ pack }) => placeOf(pack) !== undefined);
  return {
    ...index,
    packs,
    paths: index.paths.filter(isWhole).map((path) => renumbered(path, index, (key) => places.get(key))),
  };
}
