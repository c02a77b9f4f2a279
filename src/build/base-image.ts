import type { Descriptor } from '../image/descriptor.ts';
import type { ImageConfig } from '../image/image-config.ts';
import { type ImageManifest, indexSchema, manifestSchema } from '../image/manifest.ts';
import { isIndexType, isManifestType, MEDIA_TYPE } from '../image/media-type.ts';
import { platformOf, platformText, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { parseJson } from '../io/json.ts';
import { readConfig } from '../registry/read-config.ts';
import type { Repository, StoredManifest } from '../registry/repository.ts';

/** An image to stand on, or to publish as it is. */
export interface BaseImage {
  readonly repository: Repository;
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
export const readBase = (repository: Repository, reference: string, system: System): Promise<BaseImage> =>
  readImage(repository, reference, system, {
    where: `fromImage ${repository.name}@${reference}`,
    hint: 'Name a base for each system, or an index that has both.',
  });

/**
 * Reads the image for `system` under `reference` (a digest or tag of `repository`). Throws UserError `reference` when
 * there is none, `platforms` when it is for other platforms, `digest` and `registry` as the repository does.
 */
export async function readImage(
  repository: Repository,
  reference: string,
  system: System,
  { where, hint }: Words,
): Promise<BaseImage> {
  const stored = await repository.getManifest(reference);
  if (!stored) {
    throw new UserError('reference', `${where}: there is no such image`, {
      hint: 'Check the digest; registries delete manifests that no tag names.',
    });
  }
  const manifest = await manifestFor(repository, stored, system, { where, hint });
  const config = await readConfig(repository, manifest.config, where);
  const platform = platformOf(system);
  if (config.architecture !== platform.architecture || config.os !== platform.os) {
    throw new UserError(
      'platforms',
      `${where} is for ${config.os}/${config.architecture}, not for ${platformText(platform)}`,
      { hint },
    );
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
  repository: Repository,
  stored: StoredManifest,
  system: System,
  { where, hint }: Words,
): Promise<ImageManifest> {
  if (isManifestType(stored.mediaType)) return parseJson(stored.bytes, manifestSchema, where);
  if (!isIndexType(stored.mediaType)) {
    throw new UserError('reference', `${where} is a ${stored.mediaType}, not an image`, {
      hint: 'Name an image or an index of images.',
    });
  }
  const index = parseJson(stored.bytes, indexSchema, where);
  const wanted = platformOf(system);
  const child = index.manifests.find(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const manifest = child && (await repository.getManifest(child.digest));
  if (!manifest || !isManifestType(manifest.mediaType)) {
    const has = index.manifests.flatMap(({ platform }) => (platform ? [platformText(platform)] : []));
    throw new UserError(
      'platforms',
      `${where} has nothing for ${platformText(wanted)}; it has ${has.join(', ') || 'no platform'}`,
      { hint },
    );
  }
  return parseJson(manifest.bytes, manifestSchema, where);
}

const OCI_NAME: Readonly<Record<string, string>> = {
  [MEDIA_TYPE.dockerLayer]: MEDIA_TYPE.layer,
  [MEDIA_TYPE.dockerLayerGzip]: MEDIA_TYPE.layerGzip,
};

/** The same bytes under OCI's name: Docker's and OCI's media types may not be mixed in a manifest. */
const ociLayer = ({ mediaType, digest, size, annotations }: Descriptor): Descriptor => ({
  mediaType: OCI_NAME[mediaType] ?? mediaType,
  digest,
  size,
  ...(annotations ? { annotations } : {}),
});
