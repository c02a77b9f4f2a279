import { plainLine } from '../core/printable.ts';
import { platformOf, platformText } from '../oci/system.ts';
import { compressedSize } from './platform-image.ts';
import { heldOf, type Shown } from './report.ts';
import type { PublishedTarget } from './target.ts';

/** A registry's repository as `docker pull` takes it. */
const pullName = ({ name }: PublishedTarget): string => plainLine(name.replace(/^docker:\/\//, ''));

const registriesIn = (targets: readonly PublishedTarget[]): readonly PublishedTarget[] =>
  targets.filter(({ kind, failure }) => kind === 'registry' && failure === undefined);

/** `ghcr.io/org/app:v1`, for every tag at a registry. */
const tagReferences = (targets: readonly PublishedTarget[]): string[] =>
  registriesIn(targets).flatMap((target) => target.tags.map((tag) => `${pullName(target)}:${plainLine(tag)}`));

/** `ghcr.io/org/app@sha256:…` for every registry: what `docker pull` takes, and what no tag can change. */
export const digestReferences = (published: Shown, targets: readonly PublishedTarget[]): string[] =>
  registriesIn(targets).map((target) => `${pullName(target)}@${published.index.digest}`);

/** One image in the output `json`. Sizes are bytes as they are sent; null of an image that was live and was not asked about. */
export const imageJson = (published: Shown, targets: readonly PublishedTarget[]) => ({
  digest: heldOf(published, targets).digest,
  mediaType: heldOf(published, targets).mediaType,
  references: tagReferences(targets),
  digestReferences: digestReferences(published, targets),
  platforms: published.platforms.map(({ system, digest, layers }) => ({
    system,
    platform: platformText(platformOf(system)),
    digest,
    size: layers ? compressedSize(layers) : null,
  })),
});

/** The output `metadata`, with the keys that users of docker/build-push-action know. */
export function imageMetadata(published: Shown, targets: readonly PublishedTarget[]) {
  const { digest, mediaType } = heldOf(published, targets);
  return {
    'containerimage.digest': digest,
    'containerimage.descriptor': { mediaType, digest, size: published.index.bytes.length },
    'image.name': tagReferences(targets).join(','),
  };
}
