import { parseJson } from '../core/decode-json.ts';
import type { Descriptor, OciPlatform } from '../oci/descriptor.ts';
import { indexSchema, manifestSchema } from '../oci/manifest.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import { isForSystem, isImageEntry, normalisePlatform } from '../oci/platform.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { platformText, type System } from '../oci/system.ts';
import { readConfig } from './read-config.ts';
import type { Repository } from './repository.ts';

/** Indexes of indexes come from `docker save`; deeper ones are an attack. */
const DEPTH_LIMIT = 4;

/** What an index has for a system. */
export interface ImageForSystem {
  /** Undefined where there is no image for the system. */
  readonly manifest: StoredManifest | undefined;
  /** The platforms that there are images for, for messages. */
  readonly platforms: readonly string[];
}

/**
 * The manifest for `system` in an index, or in an index within it. An entry that does not name its platform is for the one
 * that its config names. A single image is returned as it is. Throws UserError as the repository does.
 */
export async function imageForSystem(
  repository: Repository,
  stored: StoredManifest,
  system: System,
  depth: number = 0,
): Promise<ImageForSystem> {
  if (isManifestType(stored.mediaType)) return { manifest: stored, platforms: [] };
  if (!isIndexType(stored.mediaType) || depth > DEPTH_LIMIT) return { manifest: undefined, platforms: [] };
  const { manifests } = parseJson(stored.bytes, indexSchema, `${repository.name} ${stored.digest}`);
  const images = manifests.filter(isImageEntry);
  const platforms = images.flatMap(({ platform }) => (platform ? [textOf(platform)] : []));
  for (const entry of images.filter(({ platform }) => platform && isForSystem(platform, system))) {
    const child = await repository.getManifest(entry.digest);
    // An archive of one platform may hold the index of all.
    const found = child && (await imageForSystem(repository, child, system, depth + 1)).manifest;
    if (found) return { manifest: found, platforms };
  }
  for (const entry of images.filter(({ platform }) => platform === undefined)) {
    const found = await unnamed(repository, entry, system, depth);
    platforms.push(...found.platforms);
    if (found.manifest) return { manifest: found.manifest, platforms };
  }
  return { manifest: undefined, platforms };
}

async function unnamed(
  repository: Repository,
  { digest }: Descriptor,
  system: System,
  depth: number,
): Promise<ImageForSystem> {
  const child = await repository.getManifest(digest);
  if (!child) return { manifest: undefined, platforms: [] };
  if (!isManifestType(child.mediaType)) return imageForSystem(repository, child, system, depth + 1);
  const where = `${repository.name} ${digest}`;
  const { config } = parseJson(child.bytes, manifestSchema, where);
  const platform = await readConfig(repository, config, where);
  return { manifest: isForSystem(platform, system) ? child : undefined, platforms: [textOf(platform)] };
}

const textOf = (platform: OciPlatform): string => platformText(normalisePlatform(platform));
