import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-type.ts';
import type { StoredManifest } from '../../src/oci/read-manifest.ts';
import type { Repository } from '../../src/storage/destination.ts';

const EMPTY = Buffer.from('{}');

const blobOf = (bytes: Uint8Array, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

/** What {@link artifactOf} takes beside its text. */
export interface ArtifactOptions {
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly layerType?: string;
}

/** A manifest with one small blob, such as a signature, and those blobs. */
export const artifactOf = (text: string, options: ArtifactOptions = {}) => {
  const { subject, artifactType = 'application/x.test', annotations, layerType = 'text/plain' } = options;
  const layer = Buffer.from(text);
  const config = blobOf(EMPTY, 'application/vnd.oci.empty.v1+json');
  const content = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config,
    layers: [blobOf(layer, layerType)],
    subject,
    artifactType,
    annotations,
  };
  const bytes = Buffer.from(JSON.stringify(content));
  const manifest: StoredManifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  return { manifest, blobs: [EMPTY, layer] };
};

/** Puts what {@link artifactOf} makes, listed nowhere. */
export const putArtifact = async (repository: Repository, text: string, options: ArtifactOptions = {}) => {
  const { manifest, blobs } = artifactOf(text, options);
  for (const bytes of blobs) await repository.putBlob(blobOf(bytes, 'text/plain'), bytes);
  await repository.putManifest(manifest);
  return manifest;
};
