import { storePathName } from '../definition/store-path.ts';
import type { CachedClosure, CachedPath } from './cache-index.ts';

type Ordered = Pick<CachedPath, 'path' | 'system' | 'image' | 'seconds' | 'narSize'> & {
  readonly references: readonly string[];
};

type Needed = Pick<CachedClosure, 'system' | 'image' | 'paths'>;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The order of paths in packs, in groups between which a pack is cut where it is not small: what is asked for together, and what
 * becomes useless together, lies together. A group is what the same images of a system need, and groups with many images in common
 * are neighbours. In a group, what depends on little comes before what depends on much, for a path changes with each of those that it
 * depends on; of equals the most seconds a byte first.
 */
export function inPackOrder<P extends Ordered>(paths: readonly P[], closures: readonly Needed[]): P[][] {
  const byPath = new Map(paths.map((path) => [path.path, path]));
  const depends = new Map(paths.map(({ path }) => [path, countNeeded(path, byPath)]));
  const dependsOf = ({ path }: P): number => depends.get(path) ?? 0;
  const images = imagesOf(closures);
  const groups = new Map<string, Group<P>>();
  for (const path of paths) {
    const { system, image } = path;
    const needers = images.get(packageOf(system, path.path)) ?? (image === undefined ? [] : [image]);
    const key = JSON.stringify([system, needers]);
    const group = groups.get(key) ?? { system, images: needers, members: [] };
    groups.set(key, group);
    group.members.push(path);
  }
  return neighbours([...groups.values()]).map(({ members }) =>
    members.sort(
      (a, b) => dependsOf(a) - dependsOf(b) || b.seconds / b.narSize - a.seconds / a.narSize || compare(a.path, b.path),
    ),
  );
}

/**
 * By what a path of tomorrow is known today: an update gives all paths other hashes, and what needed a package before will need it again,
 * though the job that builds it first knows of its own image alone.
 */
const packageOf = (system: string, path: string): string => `${system} ${withoutVersion(storePathName(path))}`;

/** A name without those parts that begin with a digit, as versions and dates do. */
export const withoutVersion = (name: string): string => name.replace(/-[0-9][^-]*/g, '');

/** The images that need each package, in order. */
function imagesOf(closures: readonly Needed[]): ReadonlyMap<string, readonly string[]> {
  const images = new Map<string, Set<string>>();
  for (const { system, image, paths } of closures) {
    for (const path of paths) {
      const name = packageOf(system, path);
      const known = images.get(name);
      if (known) known.add(image);
      else images.set(name, new Set([image]));
    }
  }
  return new Map([...images].map(([name, needers]) => [name, [...needers].sort()]));
}

interface Group<P> {
  readonly system: string;
  readonly images: readonly string[];
  readonly members: P[];
}

/** A chain of the groups of each system, from the one that most images need: the next is always that with the largest part in common. */
function neighbours<P>(groups: readonly Group<P>[]): Group<P>[] {
  const chain: Group<P>[] = [];
  const left = [...groups].sort(
    (a, b) =>
      compare(a.system, b.system) ||
      b.images.length - a.images.length ||
      compare(a.images.join('\n'), b.images.join('\n')),
  );
  for (let next = left.shift(); next; next = left.splice(nearest(next, left), 1)[0]) chain.push(next);
  return chain;
}

/** The place of the group that has the largest part of its images in common with another; the first of the next system where there is none. */
function nearest<P>({ system, images }: Group<P>, groups: readonly Group<P>[]): number {
  const shares = groups.map((group) => (group.system === system ? commonShare(images, group.images) : -1));
  return Math.max(0, shares.indexOf(Math.max(...shares)));
}

function commonShare(a: readonly string[], b: readonly string[]): number {
  const common = b.filter((name) => a.includes(name)).length;
  return common / (a.length + b.length - common || 1);
}

/** How many of the paths one depends on, itself included. */
function countNeeded<P extends Ordered>(path: string, byPath: ReadonlyMap<string, P>): number {
  const needed = new Set([path]);
  // It grows while it is walked.
  for (const one of needed)
    for (const other of byPath.get(one)?.references ?? []) if (byPath.has(other)) needed.add(other);
  return needed.size;
}
