import { isIndexType } from '../oci/media-type.ts';
import { parseImageManifest, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';

/** What an image says of itself that a gallery shows. */
interface GalleryFacts {
  readonly description?: string;
  readonly architectures?: string[];
  readonly operatingSystems?: string[];
}

// The gallery's own names, by which people search (RepositoryCatalogDataInput); others are shown nowhere.
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['amd64', 'x86-64'],
  ['arm64', 'ARM 64'],
  ['arm', 'ARM'],
  ['386', 'x86'],
]);
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['linux', 'Linux'],
  ['windows', 'Windows'],
]);

/** Characters of a description there. */
const LONGEST = 1024;

/** No half of a character stays at the end. */
const shortened = (text: string): string => text.slice(0, LONGEST).replace(/[\uD800-\uDBFF]$/, '');

const known = (names: ReadonlyMap<string, string>, values: readonly string[]): string[] =>
  [...new Set(values.flatMap((value) => names.get(value) ?? []))].sort();

const ofPlatforms = (architectures: string[], operatingSystems: string[]): GalleryFacts => ({
  ...(architectures.length === 0 ? {} : { architectures }),
  ...(operatingSystems.length === 0 ? {} : { operatingSystems }),
});

/** What an image or index says: its description, and the platforms of an index. */
export function galleryFacts(manifest: StoredManifest): GalleryFacts {
  const isIndex = isIndexType(manifest.mediaType);
  const index = isIndex ? parseIndex(manifest) : undefined;
  const annotations = (index ?? parseImageManifest(manifest)).annotations ?? {};
  const description = annotations['org.opencontainers.image.description']?.trim();
  const platforms = (index?.manifests ?? []).flatMap(({ platform }) => platform ?? []);
  return {
    ...(description ? { description: shortened(description) } : {}),
    ...ofPlatforms(
      known(
        ARCHITECTURES,
        platforms.map(({ architecture }) => architecture),
      ),
      known(
        SYSTEMS,
        platforms.map(({ os }) => os),
      ),
    ),
  };
}
