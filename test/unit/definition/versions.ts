import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StorePathInfo } from '../../../src/definition/closure.ts';

/** A package of a closure; every version of it has a path of its own. */
interface Package {
  readonly id: string;
  readonly size: number;
  readonly needs: readonly string[];
  readonly revision: number;
}

/** What happens to a closure between two versions of an image. */
export type Change = 'leaf' | 'middle' | 'root' | 'added' | 'removed';

/** The closure of a real image, by anonymous names: `[bytes, ...what it needs]` for each path, dependencies first. */
const RECORDED = join(import.meta.dirname, '../../fixtures/closures/debian-large.json');

const recorded = (): Package[] =>
  (JSON.parse(readFileSync(RECORDED, 'utf8')) as number[][]).map(([size = 0, ...needs], at) => ({
    id: `p${at}`,
    size,
    needs: needs.map((other) => `p${other}`),
    revision: 0,
  }));

/** The paths of a version: a path's hash follows from its revision and the paths that it needs, as Nix has it. */
const closureOf = (packages: readonly Package[]): StorePathInfo[] => {
  const paths = new Map<string, string>();
  return packages.map(({ id, size, needs, revision }) => {
    const references = needs.flatMap((other) => paths.get(other) ?? []);
    const hash = createHash('md5')
      .update([id, revision, ...references].join())
      .digest('hex');
    paths.set(id, `/nix/store/${hash}-${id}`);
    return { path: `/nix/store/${hash}-${id}`, narHash: 'sha256-', narSize: size, references };
  });
};

/** How many packages need each, itself included. */
const countNeeding = (packages: readonly Package[]): Map<string, number> =>
  new Map(
    packages.map(({ id }) => {
      const hit = new Set([id]);
      for (const other of packages) if (other.needs.some((need) => hit.has(need))) hit.add(other.id);
      return [id, hit.size];
    }),
  );

/** Numbers that look random and are the same in each run (Park and Miller's generator). */
const numbers = (seed: number): ((below: number) => number) => {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
};

/** The sizes in bytes of what an image gains: a program, a small library, a file of settings. */
const GAINED = [3_000_000, 200_000, 30_000];

/** The closures of one image over versions: the recorded one first, then one for each change. */
export function versionsOf(changes: readonly Change[], seed: number): StorePathInfo[][] {
  let packages = recorded();
  const needing = countNeeding(packages);
  const random = numbers(seed);
  const app = packages.at(-1)?.id ?? '';
  const pick = (from: number, to: number): string => {
    const fitting = packages.filter(({ id }) => {
      const count = needing.get(id) ?? 0;
      return count >= from && count <= to;
    });
    return fitting[random(fitting.length)]?.id ?? app;
  };
  const rebuild = (which: string): Package[] =>
    packages.map((one) => (one.id === which ? { ...one, revision: one.revision + 1 } : one));
  const withMore = (version: number): Package[] => {
    const gained = GAINED.map((size, at): Package => ({ id: `new${version}-${at}`, size, needs: ['p0'], revision: 0 }));
    const last = packages.filter(({ id }) => id === app);
    return [
      ...packages.filter(({ id }) => id !== app),
      ...gained,
      ...last.map((one) => ({ ...one, needs: [...one.needs, ...gained.map(({ id }) => id)] })),
    ];
  };
  const withLess = (): Package[] => {
    const gone = new Set([pick(2, 2), pick(2, 2)].filter((id) => id !== app));
    return packages
      .filter(({ id }) => !gone.has(id))
      .map((one) => ({ ...one, needs: one.needs.filter((need) => !gone.has(need)) }));
  };
  const change: Record<Change, (version: number) => Package[]> = {
    leaf: () => rebuild(pick(1, 3)),
    middle: () => rebuild(pick(40, 120)),
    root: () => rebuild(pick(300, Number.POSITIVE_INFINITY)),
    added: withMore,
    removed: withLess,
  };
  const versions = [closureOf(packages)];
  for (const [version, kind] of changes.entries()) {
    packages = change[kind](version);
    versions.push(closureOf(packages));
  }
  return versions;
}
