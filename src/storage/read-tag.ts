import { UserError } from '../core/error.ts';
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

/** Names shown of those that there are. */
const NAMES_SHOWN = 10;

function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The manifest that a person named by its tag or digest. Throws UserError `reference` when there is none. */
export async function namedManifest(source: ImageSource, reference: string): Promise<StoredManifest> {
  const stored = await source.getManifest(reference);
  if (stored) return stored;
  const names = (await source.names?.()) ?? [];
  throw new UserError('reference', `${source.name} has no image ${reference}`, {
    hint: names.length > 0 ? `It has ${namesText(names)}.` : 'Check the name, and the tag or digest.',
  });
}
