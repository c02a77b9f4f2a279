import type { Descriptor, OciPlatform } from '../oci/descriptor.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import { isForSystem, isImageEntry, normalisePlatform } from '../oci/platform.ts';
import { parseImageManifest, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import { platformText, type System } from '../oci/system.ts';
import { readPlatform } from './read-config.ts';
import type { ImageSource } from './source.ts';

/** Indexes of indexes come from `docker save`; deeper ones are an attack. */
export const NESTING_LIMIT = 4;

/** What an index has for a system. */
interface ImageForSystem {
  /** Undefined where there is no image for the system. */
  readonly manifest: StoredManifest | undefined;
  /** The platforms that there are images for, for messages. */
  readonly platforms: readonly string[];
}

/**
 * The manifest for `system` in an index, or in an index within it. An entry that does not name its platform is for the one
 * that its config names. A single image is returned as it is. Throws UserError as the source does.
 */
export async function imageForSystem(
  source: ImageSource,
  stored: StoredManifest,
  system: System,
  depth: number = 0,
): Promise<ImageForSystem> {
  if (isManifestType(stored.mediaType)) return { manifest: stored, platforms: [] };
  if (!isIndexType(stored.mediaType) || depth > NESTING_LIMIT) return { manifest: undefined, platforms: [] };
  const { manifests } = parseIndex(stored, `${source.name} ${stored.digest}`);
  const images = manifests.filter(isImageEntry);
  const platforms = images.flatMap(({ platform }) => (platform ? [textOf(platform)] : []));
  for (const entry of images.filter(({ platform }) => platform && isForSystem(platform, system))) {
    const child = await source.getManifest(entry.digest);
    // An archive of one platform may hold the index of all.
    const found = child && (await imageForSystem(source, child, system, depth + 1)).manifest;
    if (found) return { manifest: found, platforms };
  }
  for (const entry of images.filter(({ platform }) => platform === undefined)) {
    const found = await unnamed(source, entry, system, depth);
    platforms.push(...found.platforms);
    if (found.manifest) return { manifest: found.manifest, platforms };
  }
  return { manifest: undefined, platforms };
}

async function unnamed(
  source: ImageSource,
  { digest }: Descriptor,
  system: System,
  depth: number,
): Promise<ImageForSystem> {
  const child = await source.getManifest(digest);
  if (!child) return { manifest: undefined, platforms: [] };
  if (!isManifestType(child.mediaType)) return imageForSystem(source, child, system, depth + 1);
  const where = `${source.name} ${digest}`;
  const { config } = parseImageManifest(child, where);
  const platform = await readPlatform(source, config, where);
  return { manifest: isForSystem(platform, system) ? child : undefined, platforms: [textOf(platform)] };
}

const textOf = (platform: OciPlatform): string => platformText(normalisePlatform(platform));
