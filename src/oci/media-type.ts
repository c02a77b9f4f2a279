import { lookUp } from '../core/lookup.ts';

/** OCI image-spec media types, and the Docker ones that bases and older registries still use. */
export const MEDIA_TYPE = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

const DOCKER_NAME: Readonly<Record<string, string>> = {
  [MEDIA_TYPE.index]: MEDIA_TYPE.dockerIndex,
  [MEDIA_TYPE.manifest]: MEDIA_TYPE.dockerManifest,
  [MEDIA_TYPE.config]: MEDIA_TYPE.dockerConfig,
  [MEDIA_TYPE.layer]: MEDIA_TYPE.dockerLayer,
  [MEDIA_TYPE.layerGzip]: MEDIA_TYPE.dockerLayerGzip,
};

const OCI_NAME: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(DOCKER_NAME).map(([oci, docker]) => [docker, oci]),
);

/** OCI's name of the same bytes; other types stay. Docker's and OCI's may not be mixed in a manifest. */
export const ociType = (mediaType: string): string => lookUp(OCI_NAME, mediaType) ?? mediaType;

/** Docker's name of the same bytes; undefined for what Docker has none for, such as zstd. */
export const dockerType = (mediaType: string): string | undefined => lookUp(DOCKER_NAME, mediaType);

export const isIndexType = (mediaType: string): boolean =>
  mediaType === MEDIA_TYPE.index || mediaType === MEDIA_TYPE.dockerIndex;

export const isManifestType = (mediaType: string): boolean =>
  mediaType === MEDIA_TYPE.manifest || mediaType === MEDIA_TYPE.dockerManifest;
