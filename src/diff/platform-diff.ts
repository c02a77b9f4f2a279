import type { Contents } from './contents.ts';
import { compareVersions } from './package-name.ts';
import { type Package, packagesOf, sumOf, type Version } from './packages.ts';

/** What became of the packages of one name. */
export type ChangeKind = 'added' | 'removed' | 'upgraded' | 'downgraded' | 'changed' | 'rebuilt';

export interface PackageChange {
  readonly name: string;
  /** `changed`: other versions, of which none can be called the newer; `rebuilt`: the same versions, other store paths. */
  readonly kind: ChangeKind;
  readonly old: readonly Version[];
  readonly new: readonly Version[];
  /** Bytes of NARs that it is larger by; null where that is not known. */
  readonly bytes: number | null;
}

/** Layers of the new image as a machine that has the old one sees them. */
interface LayerChange {
  readonly count: number;
  readonly shared: number;
  /** Bytes as sent, of all. */
  readonly bytes: number;
  /** Bytes as sent, of those that the old image has, too. */
  readonly sharedBytes: number;
}

/** A side of the comparison: what there is of one platform. */
interface Side {
  readonly digest: string | null;
  /** Bytes as sent; null where layers are not made yet. */
  readonly size: number | null;
  /** Bytes of all NARs; null where they are not known. */
  readonly closure: number | null;
  /** Names of packages; null where its maker does not say which there are. */
  readonly packages: number | null;
}

export interface PlatformDiff {
  readonly platform: string;
  /** Null where the old, or the new, has no such platform. */
  readonly old: Side | null;
  readonly new: Side | null;
  /** Null where one side is missing or not made yet. */
  readonly layers: LayerChange | null;
  /** By name; null where one side is missing or its maker does not say what is in it. */
  readonly packages: readonly PackageChange[] | null;
  /** The largest packages of the new image, largest first. */
  readonly biggest: readonly { readonly name: string; readonly bytes: number }[];
}

/** As many as people look at. */
const BIGGEST = 10;

/** What is different between two images of one platform, of which one may be missing. Pure. */
export function diffPlatform(
  platform: string,
  before: Contents | undefined,
  after: Contents | undefined,
): PlatformDiff {
  const [oldPackages, newPackages] = [before, after].map((contents) => contents?.paths && packagesOf(contents.paths));
  return {
    platform,
    old: before ? sideOf(before, oldPackages) : null,
    new: after ? sideOf(after, newPackages) : null,
    layers: layerChange(before, after),
    packages: oldPackages && newPackages ? changesOf(oldPackages, newPackages) : null,
    biggest: biggestOf(newPackages ?? new Map()),
  };
}

type Packages = ReadonlyMap<string, Package>;

const sideOf = ({ digest, layers, paths }: Contents, packages: Packages | null | undefined): Side => ({
  digest,
  size: layers && sumOf(layers.map(({ size }) => size)),
  closure: paths && sumOf(paths.map(({ size }) => size)),
  packages: packages?.size ?? null,
});

function layerChange(before: Contents | undefined, after: Contents | undefined): LayerChange | null {
  if (!before?.layers || !after?.layers) return null;
  const known = new Set(before.layers.map(({ digest }) => digest));
  const shared = after.layers.filter(({ digest }) => known.has(digest));
  const sizes = (layers: readonly { readonly size: number }[]) => layers.reduce((sum, { size }) => sum + size, 0);
  return {
    count: after.layers.length,
    shared: shared.length,
    bytes: sizes(after.layers),
    sharedBytes: sizes(shared),
  };
}

function changesOf(before: Packages, after: Packages): PackageChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => changeOf(name, before.get(name), after.get(name)) ?? []);
}

function changeOf(name: string, before: Package | undefined, after: Package | undefined): PackageChange | undefined {
  const kind = kindOf(before, after);
  if (kind === undefined) return undefined;
  const bytes = sumOf([after?.bytes ?? (after ? null : 0), negative(before ? before.bytes : 0)]);
  return { name, kind, old: before?.versions ?? [], new: after?.versions ?? [], bytes };
}

const negative = (bytes: number | null): number | null => (bytes === null ? null : -bytes);

function kindOf(before: Package | undefined, after: Package | undefined): ChangeKind | undefined {
  if (!before || !after) return before ? 'removed' : 'added';
  const isSame = before.paths.size === after.paths.size && [...after.paths].every((path) => before.paths.has(path));
  if (isSame) return undefined;
  const [old, now] = [before.versions, after.versions];
  const isRebuilt =
    old.length === now.length &&
    old.every(({ version, copies }, at) => now[at]?.version === version && now[at]?.copies === copies);
  if (isRebuilt) return 'rebuilt';
  const [from, to] = [old[0]?.version ?? '', now[0]?.version ?? ''];
  if (old.length !== 1 || now.length !== 1 || from === to) return 'changed';
  return compareVersions(from, to) < 0 ? 'upgraded' : 'downgraded';
}

const biggestOf = (packages: Packages): PlatformDiff['biggest'] =>
  [...packages.values()]
    .flatMap(({ name, bytes }) => (bytes === null ? [] : [{ name, bytes }]))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
    .slice(0, BIGGEST);
