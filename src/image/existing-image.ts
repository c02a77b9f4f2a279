import { UserError } from '../core/error.ts';
import { withoutOwn } from '../definition/layer-record.ts';
import type { ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDisk } from '../oci/disk-artifact.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { isIndexType, isManifestType, ociType } from '../oci/media-type.ts';
import { isForSystem } from '../oci/platform.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import { imageForSystem } from '../storage/image-for-system.ts';
import { readConfig } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';

/** An image that exists already: a base, or one to publish as it is. */
export interface ExistingImage {
  readonly repository: ImageSource;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly layers: readonly Descriptor[];
}

/** How messages speak of an image that is read. */
interface Words {
  readonly where: string;
  /** What to do about an image for another platform. */
  readonly hint: string;
}

/** Reads the base image for `system` under `reference` (a digest or tag of `repository`). Throws as readImage does. */
export const readBase = (repository: ImageSource, reference: string, system: System): Promise<ExistingImage> =>
  readImage(repository, reference, system, {
    where: `fromImage ${repository.name}@${reference}`,
    hint: 'Name a base for each system, or an index that has both.',
  });

/**
 * Reads the image for `system` under `reference` (a digest or tag of `repository`). Throws UserError `reference` when
 * there is none, `platforms` when it is for other platforms, `digest` and `registry` as the repository does.
 */
export async function readImage(
  repository: ImageSource,
  reference: string,
  system: System,
  { where, hint }: Words,
): Promise<ExistingImage> {
  const stored = await repository.getManifest(reference);
  if (!stored) {
    throw new UserError('reference', `${where}: no such image`, {
      hint: 'Check the digest; registries delete manifests that no tag names.',
    });
  }
  const manifest = await manifestFor(repository, stored, system, { where, hint });
  if (isDisk(manifest)) {
    throw new UserError('reference', `${where} is the disk of a virtual machine, not a container image`, {
      hint: 'Name a container image.',
    });
  }
  const config = await readConfig(repository, manifest.config, where);
  if (!isForSystem(config, system)) {
    const wanted = platformText(platformOf(system));
    throw new UserError('platforms', `${where} is for ${platformText(config)}, not for ${wanted}`, { hint });
  }
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new UserError(
      'digest',
      `${where}: its config lists ${config.rootfs.diff_ids.length} layers, its manifest ${manifest.layers.length}`,
      {
        hint: 'The image is damaged; make it again, or choose another.',
      },
    );
  }
  return { repository, manifest, config, layers: manifest.layers.map(ociLayer) };
}

async function manifestFor(
  repository: ImageSource,
  stored: StoredManifest,
  system: System,
  { where, hint }: Words,
): Promise<ImageManifest> {
  if (!isManifestType(stored.mediaType) && !isIndexType(stored.mediaType)) {
    throw new UserError('reference', `${where} is a ${stored.mediaType}, not an image`, {
      hint: 'Name an image or an index of images.',
    });
  }
  const { manifest, platforms } = await imageForSystem(repository, stored, system);
  if (manifest) return parseImageManifest(manifest, where);
  const wanted = platformText(platformOf(system));
  const has = [...new Set(platforms)];
  const what = has.includes(wanted)
    ? `names an image for ${wanted}, but does not hold it`
    : `has nothing for ${wanted}; it has ${has.join(', ') || 'no platform'}`;
  throw new UserError('platforms', `${where} ${what}`, { hint });
}

/**
 * The same bytes under OCI's name: Docker's and OCI's media types may not be mixed in a manifest. `urls`, `data` and
 * annotations of this project are left out: nothing that a base's author writes is taken for the image's own.
 */
function ociLayer({ mediaType, digest, size, ...rest }: Descriptor): Descriptor {
  const annotations = withoutOwn(rest.annotations);
  return {
    mediaType: ociType(mediaType),
    digest,
    size,
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}
