import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { putArtifact } from '../../support/artifacts.ts';
import { putImage } from '../storage/kit.ts';

export const SBOM = 'application/spdx+json';
export const SIGNATURE = 'application/vnd.dev.cosign.artifact.sig.v1+json';
export const CREATED = { 'org.opencontainers.image.created': '2026-01-02T03:04:05Z' };

/** A tag of cosign's for a manifest. */
export const attachedTag = ({ digest }: StoredManifest, suffix: string): string =>
  `${digest.replace(':', '-')}.${suffix}`;

/**
 * Puts an index of two platforms with all that people attach: an attestation in it, an SBOM of a platform and its signature, a
 * signature of the index, and cosign's tags for the index and a platform. Returns all manifests but those tags'.
 */
export const putAttested = async (repository: Repository, tag: string, text: string = 'app') => {
  // Equal images would have each other's signatures.
  const [first = 0] = Buffer.from(text);
  const amd64 = (await putImage(repository, 'amd64', first)).manifest;
  const arm64 = (await putImage(repository, 'arm64', first)).manifest;
  const attestation = await putArtifact(repository, `attestation of ${text}`, {
    subject: descriptorOf(amd64),
    artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
  });
  const platform = (architecture: string, os: string = 'linux') => ({ platform: { architecture, os } });
  const manifests = [
    { ...descriptorOf(amd64), ...platform('amd64') },
    { ...descriptorOf(arm64), ...platform('arm64') },
    {
      ...descriptorOf(attestation),
      ...platform('unknown', 'unknown'),
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    },
  ];
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests, annotations: { text } }),
  );
  const index = { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
  await repository.tag(tag, index);
  const sbom = await putArtifact(repository, `sbom of ${text}`, {
    subject: descriptorOf(arm64),
    artifactType: SBOM,
    annotations: CREATED,
  });
  const ofSbom = await putArtifact(repository, `signature of the sbom of ${text}`, {
    subject: descriptorOf(sbom),
    artifactType: SIGNATURE,
  });
  const signature = await putArtifact(repository, `signature of ${text}`, {
    subject: descriptorOf(index),
    artifactType: SIGNATURE,
    annotations: CREATED,
  });
  const sig = await putArtifact(repository, `payload of ${text}`, {
    layerType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  });
  const att = await putArtifact(repository, `envelope of ${text}`, {
    layerType: 'application/vnd.dsse.envelope.v1+json',
  });
  const tags = { [attachedTag(index, 'sig')]: sig, [attachedTag(amd64, 'att')]: att };
  for (const [name, manifest] of Object.entries(tags)) await repository.tag(name, manifest);
  await repository.commit();
  return { index, amd64, arm64, attestation, sbom, ofSbom, signature, sig, att, tags };
};

export type Attested = Awaited<ReturnType<typeof putAttested>>;
