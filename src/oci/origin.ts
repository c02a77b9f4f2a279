import { CREATED } from './config.ts';
import type { Descriptor } from './descriptor.ts';

/** The annotations that say which run made an image (OCI image-spec, annotations.md). */
export const ORIGIN_ANNOTATION = {
  source: 'org.opencontainers.image.source',
  revision: 'org.opencontainers.image.revision',
  version: 'org.opencontainers.image.version',
  created: 'org.opencontainers.image.created',
  /** GitHub's id of the run: by it, an older run does not move tags back that a newer one has moved. */
  run: 'io.nix-images.image.run',
} as const;

/** What is said of the run that made an image. It is not part of the image's key: an unchanged image keeps its own. */
export interface Origin {
  readonly annotations: Readonly<Record<string, string>>;
  /** The time in the image's config, RFC 3339. */
  readonly created: string;
}

/** Of an image of which nothing is said: equal content, equal digest. */
export const NO_ORIGIN: Origin = { annotations: {}, created: CREATED };

/** The origin of an image that is published, by its manifest's annotations and its config's time. */
export function originIn(annotations: Descriptor['annotations'], created: string | undefined): Origin {
  const names: readonly string[] = Object.values(ORIGIN_ANNOTATION);
  return {
    annotations: Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => names.includes(name))),
    created: created ?? CREATED,
  };
}
