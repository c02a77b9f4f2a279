import type { GivenManifest } from './ecr-api.ts';

/** What PutImage of either service takes of a manifest; `reference` is a tag, or its digest. */
export const manifestInput = ({ bytes, mediaType, digest }: GivenManifest, reference: string) => ({
  imageManifest: Buffer.from(bytes).toString('utf8'),
  imageManifestMediaType: mediaType,
  imageDigest: digest,
  ...(reference === digest ? {} : { imageTag: reference }),
});
