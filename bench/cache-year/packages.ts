import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Numbers } from './numbers.ts';

/** A package that this project builds, for one system. Each version of it, and of what it needs, has a path of its own. */
export interface Package {
  readonly id: string;
  readonly system: string;
  /** The image that alone has it; undefined for what is shared. */
  readonly image?: string | undefined;
  /** Of its frame, before it is scaled to the live size of a year. */
  readonly size: number;
  readonly seconds: number;
  readonly needs: readonly string[];
  revision: number;
}

/** A path that a build job asks for. */
export interface BuiltFact {
  readonly path: string;
  readonly bytes: number;
  readonly references: readonly string[];
  readonly seconds: number;
  readonly system: string;
  readonly image?: string | undefined;
  readonly isLeaf: boolean;
}

/** The closure of a real Debian image, by anonymous names: `[bytes, ...what it needs]` for each package, dependencies first. */
const RECORDED = new URL('../../test/fixtures/closures/debian-large.json', import.meta.url);

/** The first packages of the closure, which nearly all others need: they come from the distribution's cache. */
const UPSTREAM = 159;

/** Median of the seconds that a build takes, and how far they spread. */
const MEDIAN_SECONDS = 20;
const SPREAD = 1.3;

/** How far large packages take longer to build. */
const CORRELATION = 0.5;

/** The packages of one system that several images may need: the real closure's sizes and dependencies. */
export function sharedPackages(system: string, numbers: Numbers): Package[] {
  const recorded = (JSON.parse(readFileSync(RECORDED, 'utf8')) as number[][]).map(([size = 0, ...needs]) => ({
    size,
    needs,
  }));
  const sizes = recorded.map(({ size }) => Math.log(size + 1));
  const mean = sizes.reduce((sum, one) => sum + one, 0) / sizes.length;
  const deviation = Math.sqrt(sizes.reduce((sum, one) => sum + (one - mean) ** 2, 0) / sizes.length);
  return recorded.slice(UPSTREAM).map(({ size, needs }, at) => {
    const own = needs.filter((need) => need >= UPSTREAM).map((need) => `${system}/p${need}`);
    const relative = (Math.log(size + 1) - mean) / deviation;
    return {
      id: `${system}/p${at + UPSTREAM}`,
      system,
      size,
      seconds: secondsOf(relative, numbers),
      needs: own,
      revision: 0,
    };
  });
}

export const secondsOf = (relativeSize: number, numbers: Numbers): number =>
  MEDIAN_SECONDS * Math.exp(SPREAD * (CORRELATION * relativeSize + Math.sqrt(1 - CORRELATION ** 2) * numbers.normal()));

/** The paths of all packages at their revisions: a path's hash follows from that and from what the package needs, as Nix has it. */
export function pathsOf(packages: readonly Package[]): ReadonlyMap<string, BuiltFact> {
  const needed = new Set(packages.flatMap(({ needs }) => needs));
  const paths = new Map<string, BuiltFact>();
  for (const { id, size, seconds, needs, revision, system, image } of packages) {
    const below = needs.flatMap((need) => paths.get(need)?.path ?? []);
    const hash = createHash('md5')
      .update([id, revision, ...below].join())
      .digest('hex');
    paths.set(id, {
      path: `/nix/store/${hash}-${id}`,
      bytes: size,
      references: below,
      seconds,
      system,
      image,
      isLeaf: !needed.has(id),
    });
  }
  return paths;
}

/** Packages and everything that they need. */
export function withNeeds(ids: Iterable<string>, packages: ReadonlyMap<string, Package>): Set<string> {
  const all = new Set(ids);
  // It grows while it is walked.
  for (const id of all) for (const need of packages.get(id)?.needs ?? []) all.add(need);
  return all;
}
