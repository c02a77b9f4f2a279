import type { StoredManifest } from '../oci/read-manifest.ts';
import type { ImageSource } from './source.ts';

/** Reads what is under a tag or digest; undefined where there is nothing. */
export type ReadTag = (source: ImageSource, reference: string) => Promise<StoredManifest | undefined>;

/** Reads each tag once, whoever asks: to see what is live, and what of it may be reused. */
export function readTagsOnce(): ReadTag {
  const read = new Map<string, Promise<StoredManifest | undefined>>();
  return (source, reference) => {
    const key = `${source.name} ${reference}`;
    const known = read.get(key) ?? source.getManifest(reference);
    read.set(key, known);
    return known;
  };
}
