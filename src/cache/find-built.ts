import type { Effects } from '../core/effects.ts';
import { buildSeconds } from '../nix/build-seconds.ts';
import type { BuildStarts } from '../nix/build-starts.ts';
import type { Nix } from '../nix/nix.ts';
import type { StoredPath } from '../nix/path-info.ts';
import { neverSubstituted, readStoredPaths } from '../nix/stored-paths.ts';
import { findUpstream } from '../nix/upstream.ts';
import { candidatesOf, type NotStored, selectPaths } from './select.ts';

/**
 * Bytes of the largest NAR that is stored unless something else is asked for. What is larger and was built here is, as a
 * rule, an image, a disk or a model under a name that nobody knows; it would take the place of a hundred others.
 */
export const LARGEST_PATH = 1_000_000_000;

/** A path to be stored. */
interface BuiltPath extends StoredPath {
  /** What its derivation took to build; undefined where that is not known. */
  readonly seconds: number | undefined;
}

/** @internal What was found. */
export interface BuiltPaths {
  readonly chosen: readonly BuiltPath[];
  readonly left: ReadonlyMap<NotStored, readonly StoredPath[]>;
  /** All paths of the store. */
  readonly present: ReadonlySet<string>;
}

interface BuiltQuery extends Pick<Effects, 'fetch' | 'signal'> {
  /** Outputs of images and disks. */
  readonly images: ReadonlySet<string>;
  /** What the cache has. */
  readonly cached: ReadonlySet<string>;
  readonly largest: number;
  /** When the job began, in milliseconds since 1970: older logs are of other builds. */
  readonly since: number;
  /**
   * Counts what came into the store before this time, in milliseconds since 1970, only where something newer refers to it: what other
   * jobs have left on a runner of one's own is not this job's. Default: everything counts.
   */
  readonly cameAfter?: number | undefined;
  /** When builds of this job began, where that is known: for those whose log is of an earlier one. */
  readonly starts?: BuildStarts | undefined;
  /** URLs of our own substituters. */
  readonly ownCaches: readonly string[];
  /** Where Nix keeps logs of builds. Default: where it does unless NIX_LOG_DIR is set. */
  readonly logFolder?: string | undefined;
}

/**
 * What this machine's Nix has built and nobody else has, with the seconds that it took. Asks the substituters of Nix's
 * settings. Throws UserError `evaluation` when Nix fails, `cancelled`.
 */
export async function findBuiltPaths(nix: Nix, query: BuiltQuery): Promise<BuiltPaths> {
  const { images, cached, largest, fetch, signal, since, starts, logFolder } = query;
  const all = await readStoredPaths(nix);
  const store = query.cameAfter === undefined ? all : ofThisJob(all, query.cameAfter / 1000);
  const candidates = candidatesOf({ store, images, cached, largest });
  const derivers = [...new Set(candidates.flatMap(({ deriver }) => deriver ?? []))];
  const [trivial, upstream] = await Promise.all([
    neverSubstituted(derivers),
    findUpstream(
      nix,
      candidates.map(({ path }) => path),
      { fetch, signal, except: query.ownCaches },
    ),
  ]);
  const { chosen, left } = selectPaths({ store, images, cached, largest, neverSubstituted: trivial }, upstream);
  const seconds = await buildSeconds(derivers, { since, starts, logFolder });
  return {
    chosen: chosen.map((stored) => ({ ...stored, seconds: seconds.get(stored.deriver ?? '') })),
    left,
    present: new Set(all.map(({ path }) => path)),
  };
}

/** @internal The paths, where those which came before `time` (seconds since 1970) and which nothing newer refers to do not count as built. */
export function ofThisJob(store: readonly StoredPath[], time: number): readonly StoredPath[] {
  const byPath = new Map(store.map((stored) => [stored.path, stored]));
  // Nix counts whole seconds.
  const needed = new Set(store.filter(({ registered = 0 }) => registered >= Math.floor(time)).map(({ path }) => path));
  // It grows while it is walked.
  for (const path of needed) for (const one of byPath.get(path)?.references ?? []) needed.add(one);
  return store.map((stored) => (needed.has(stored.path) ? stored : { ...stored, isBuilt: false }));
}
