import type { StoredPath } from '../nix/path-info.ts';

/** Why a path that was built here is not stored. */
export type NotStored =
  /** An output of an image or a disk, or needed by nothing but these. */
  | 'image'
  /** Larger than what is stored. */
  | 'size'
  /** The cache has it already. */
  | 'cached'
  /** A substituter has it. */
  | 'upstream'
  /** Nix would build it rather than fetch it, and nothing that is stored refers to it. */
  | 'trivial'
  /** It refers to something that would be missing, so Nix could not take it. */
  | 'incomplete';

/** What is to be stored of a store, and what not. */
interface Selection<P extends StoredPath = StoredPath> {
  readonly chosen: readonly P[];
  readonly left: ReadonlyMap<NotStored, readonly P[]>;
}

interface SelectionFacts {
  /** Every path of the store. */
  readonly store: readonly StoredPath[];
  /** Outputs of images and disks. */
  readonly images: ReadonlySet<string>;
  /** What the cache has. */
  readonly cached: ReadonlySet<string>;
  /** Derivations with `allowSubstitutes = false`. */
  readonly neverSubstituted: ReadonlySet<string>;
  /** Bytes of the largest NAR that is stored. */
  readonly largest: number;
}

const isDerivation = ({ path }: Pick<StoredPath, 'path'>): boolean => path.endsWith('.drv');

/**
 * The paths of which somebody must be asked whether a substituter has them: those that were built here and that no other
 * reason excludes.
 */
export function candidatesOf(facts: Omit<SelectionFacts, 'neverSubstituted'>): readonly StoredPath[] {
  const parts = imageParts(facts.store, facts.images);
  return facts.store.filter((stored) => isBuiltHere(stored) && excluded(stored, parts, facts) === undefined);
}

const isBuiltHere = (stored: StoredPath): boolean => stored.isBuilt && !isDerivation(stored);

function excluded(
  { path, narSize }: StoredPath,
  parts: ReadonlySet<string>,
  { cached, largest }: Pick<SelectionFacts, 'cached' | 'largest'>,
): NotStored | undefined {
  if (parts.has(path)) return 'image';
  if (cached.has(path)) return 'cached';
  return narSize > largest ? 'size' : undefined;
}

/**
 * Chooses what is stored: what was built here, and only where Nix could make use of it. Nix takes a path from a cache only
 * with all that it refers to, so what refers to a missing path is left out, and what is trivial to build is stored where
 * something refers to it. Pure.
 */
export function selectPaths(facts: SelectionFacts, upstream: ReadonlySet<string>): Selection {
  const parts = imageParts(facts.store, facts.images);
  const built = facts.store.filter(isBuiltHere);
  const reasons = new Map<string, NotStored>();
  for (const stored of built) {
    const reason = upstream.has(stored.path) ? 'upstream' : excluded(stored, parts, facts);
    if (reason !== undefined) reasons.set(stored.path, reason);
  }
  leaveOutIncomplete(built, reasons);
  leaveOutTrivial(built, reasons, facts.neverSubstituted);
  const left = Map.groupBy(
    built.filter(({ path }) => reasons.has(path)),
    ({ path }) => reasons.get(path) as NotStored,
  );
  return { chosen: built.filter(({ path }) => !reasons.has(path)), left };
}

/** Those whose references will be neither in the cache nor upstream; what was not built here came from somewhere. */
function leaveOutIncomplete(built: readonly StoredPath[], reasons: Map<string, NotStored>): void {
  const referrers = referrersOf(built);
  const missing = built.map(({ path }) => path).filter((path) => !isAvailable(reasons.get(path)));
  // It grows while it is walked.
  for (const path of missing) {
    for (const referrer of referrers.get(path) ?? []) {
      if (referrer === path || reasons.has(referrer)) continue;
      reasons.set(referrer, 'incomplete');
      missing.push(referrer);
    }
  }
}

const isAvailable = (reason: NotStored | undefined): boolean =>
  reason === undefined || reason === 'cached' || reason === 'upstream';

/** The outputs that Nix never asks for by themselves, unless something that is stored refers to them. */
function leaveOutTrivial(
  built: readonly StoredPath[],
  reasons: Map<string, NotStored>,
  neverSubstituted: ReadonlySet<string>,
): void {
  const chosen = built.filter(({ path }) => !reasons.has(path));
  const byPath = new Map(chosen.map((stored) => [stored.path, stored]));
  const isTrivial = ({ deriver }: StoredPath): boolean => deriver !== undefined && neverSubstituted.has(deriver);
  const needed = new Set(chosen.filter((stored) => !isTrivial(stored)).map(({ path }) => path));
  // It grows while it is walked.
  for (const path of needed) for (const one of byPath.get(path)?.references ?? []) needed.add(one);
  for (const { path } of chosen) if (!needed.has(path)) reasons.set(path, 'trivial');
}

function referrersOf(paths: readonly StoredPath[]): ReadonlyMap<string, readonly string[]> {
  const referrers = new Map<string, string[]>();
  for (const { path, references } of paths) {
    for (const reference of references) {
      const list = referrers.get(reference);
      if (list) list.push(path);
      else referrers.set(reference, [path]);
    }
  }
  return referrers;
}

/**
 * @internal Outputs of images and disks (or derivations of those that are not built), and what was built for nothing else: a layer's tar, a file system that is copied
 * into a disk. That is a path which no other path refers to, made by a derivation that only derivations of such paths use.
 * What an image holds is referred to by its parts (they list its closure), so it does not count.
 */
export function imageParts(store: readonly StoredPath[], images: ReadonlySet<string>): ReadonlySet<string> {
  const parts = new Set(images);
  const derivations = store.filter(isDerivation);
  const outputs = store.filter((stored) => !isDerivation(stored));
  const users = referrersOf(derivations);
  const referred = new Set(outputs.flatMap(({ path, references }) => references.filter((one) => one !== path)));
  const outputsOf = Map.groupBy(outputs, ({ deriver }) => deriver);
  const isPart = (drvPath: string): boolean => {
    if (images.has(drvPath)) return true;
    const made = outputsOf.get(drvPath) ?? [];
    return made.length > 0 && made.every(({ path }) => parts.has(path));
  };
  const open = derivations.map(({ path }) => path).filter(isPart);
  const byPath = new Map(derivations.map((stored) => [stored.path, stored]));
  // It grows while it is walked: what a part's derivation uses may become a part.
  for (const drvPath of open) {
    for (const used of byPath.get(drvPath)?.references ?? []) {
      const made = outputsOf.get(used) ?? [];
      if (made.length === 0 || isPart(used) || made.some(({ path }) => referred.has(path))) continue;
      if (!(users.get(used) ?? []).every(isPart)) continue;
      for (const { path } of made) parts.add(path);
      open.push(used);
    }
  }
  return parts;
}
