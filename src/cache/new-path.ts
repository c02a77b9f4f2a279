import type { StorePathInfo } from '../definition/closure.ts';
import type { CachedPath } from './cache-index.ts';

/** A path that this job built and that may be stored. */
export interface NewPath
  extends StorePathInfo,
    Pick<CachedPath, 'seconds' | 'system' | 'isLeaf'>,
    Partial<Pick<CachedPath, 'deriver' | 'image'>> {}

/** What an image needed of the paths that this job built or took from the cache. */
export interface NeededPaths {
  readonly system: string;
  readonly image: string;
  readonly paths: readonly string[];
}

/** Gives the NAR of a path to `use`. Throws what `use` throws, and UserError where the path cannot be read. */
export type ReadNar = (path: string, use: (nar: AsyncIterable<Uint8Array>) => Promise<void>) => Promise<void>;
