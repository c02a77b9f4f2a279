import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from './repository.ts';

/** Reads what is under a tag or digest; undefined where there is nothing. */
export type ReadTag = (repository: Repository, reference: string) => Promise<StoredManifest | undefined>;

/** Reads each tag once, whoever asks: to see what is live, and what of it may be reused. */
export function readTagsOnce(): ReadTag {
  const read = new Map<string, Promise<StoredManifest | undefined>>();
  return (repository, reference) => {
    const key = `${repository.name} ${reference}`;
    const known = read.get(key) ?? repository.getManifest(reference);
    read.set(key, known);
    return known;
  };
}
