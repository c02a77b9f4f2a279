import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import { isImageEntry, normalisePlatform } from '../oci/platform.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { platformText } from '../oci/system.ts';
import { isForeign } from '../storage/copy.ts';
import { NESTING_LIMIT } from '../storage/image-for-system.ts';
import { readPlatform } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';

/** Blobs asked for at once: enough to hide the latency of a registry. */
const BLOBS_AT_ONCE = 8;

/** An image of an index, or the only one. */
export interface PlatformManifest {
  readonly digest: Digest;
  /** `linux/amd64`. */
  readonly platform: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339, as its config says it. */
  readonly created: string | undefined;
}

/** The images below a manifest, without what is in an index beside them. Throws UserError `registry` where a part of it is missing. */
export async function platformManifests(
  source: ImageSource,
  root: StoredManifest,
): Promise<readonly PlatformManifest[]> {
  const found = await below(source, root, 0);
  return found.images;
}

/**
 * The same, after asking the place for every manifest and blob of it: a tag must not be moved to what nobody can pull. Throws UserError
 * `registry` that names what is missing.
 */
export async function wholeImage(source: ImageSource, root: StoredManifest): Promise<readonly PlatformManifest[]> {
  const { images, blobs } = await below(source, root, 0);
  const unique = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  await mapParallel(unique, BLOBS_AT_ONCE, async (blob) => {
    if (!(await source.hasBlob(blob))) throw incomplete(source, root, `the blob ${blob.digest}`);
  });
  return images;
}

interface Below {
  readonly images: readonly PlatformManifest[];
  readonly blobs: readonly Descriptor[];
}

async function below(source: ImageSource, manifest: StoredManifest, depth: number): Promise<Below> {
  const where = `${source.name} ${manifest.digest}`;
  const content = parseManifest(manifest, where);
  if (content.kind === 'image') {
    const { config, layers, annotations = {} } = content;
    const { created, ...platform } = await readPlatform(source, config, where);
    const image = { digest: manifest.digest, platform: platformText(normalisePlatform(platform)), annotations };
    const blobs = [config, ...layers.filter((layer) => !isForeign(layer))];
    return { images: [{ ...image, created: created ?? undefined }], blobs };
  }
  const images: PlatformManifest[] = [];
  const blobs: Descriptor[] = [];
  for (const entry of content.manifests) {
    const isManifest = isIndexType(entry.mediaType) || isManifestType(entry.mediaType);
    if (!isManifest) blobs.push(entry);
    if (!isManifest || depth >= NESTING_LIMIT) continue;
    const child = await source.getManifest(entry.digest);
    if (child === undefined) throw incomplete(source, manifest, `the manifest ${entry.digest}`);
    if (isImageEntry(entry)) {
      const found = await below(source, child, depth + 1);
      images.push(...found.images);
      blobs.push(...found.blobs);
    } else {
      const beside = parseManifest(child, where);
      if (beside.kind === 'image') blobs.push(beside.config, ...beside.layers);
    }
  }
  return { images, blobs };
}

const incomplete = (source: ImageSource, { digest }: StoredManifest, what: string): UserError =>
  new UserError('registry', `${source.name} does not have ${what}, which ${digest} names`, {
    hint: 'No tag was moved. Publish the image again: what it names was removed, perhaps by a clean-up of untagged images.',
  });
