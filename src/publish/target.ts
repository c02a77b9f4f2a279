import { UserError } from '../core/error.ts';
import { checkTag } from '../oci/reference.ts';
import type { Repository } from '../storage/destination.ts';
import { checkRefName } from '../storage/layout/layout-repository.ts';
import { formatLocation, type Location } from '../storage/location.ts';

/** Why a tag is not to be moved, such as a preview's whose pull request is closed by now; undefined where it may be. */
export type WhyLeft = (tag: string) => Promise<string | undefined>;

/** A place to publish to, and the tags to move there. */
export interface Target {
  readonly repository: Repository;
  readonly kind: Location['kind'];
  readonly tags: readonly string[];
  /** Whether more comes to it later, so that whoever opened it commits it. */
  readonly isHeldOpen?: boolean;
  /** Asked right before each tag is moved, and once more after it. */
  readonly whyLeft?: WhyLeft | undefined;
}

/** What became of a target: which of its tags mean the image now. */
export interface PublishedTarget extends Pick<Target, 'kind' | 'tags'> {
  /** Of its repository, as a person writes it. */
  readonly name: string;
  readonly bytesSent: number;
  /** Why nothing was published there, which it was allowed to. */
  readonly failure?: string;
}

/** What became of a target, but for tags that were left alone. */
export const publishedTarget = ({ repository, kind, tags }: Target, left: readonly string[] = []): PublishedTarget => ({
  name: repository.name,
  kind,
  tags: tags.filter((tag) => !left.includes(tag)),
  bytesSent: repository.bytesSent,
});

/** Of an image that says nothing else; what clients pull when they are told nothing else. */
const DEFAULT_TAG = 'latest';

/**
 * The tags to move at a destination: the one in its name and those asked for; where there are none, the
 * definition's own, or `latest`. Throws UserError `reference` for a destination with a digest, and for a tag that is not
 * legal there (layouts and registries differ): before the work, and before another destination's tag has moved.
 */
export function chooseTags(destination: Location, asked: readonly string[], own: string | null): string[] {
  if (destination.kind === 'registry' && destination.reference.digest) {
    throw new UserError('reference', `the destination names the digest ${destination.reference.digest}`, {
      hint: 'A digest follows from the content: name a tag, or none.',
    });
  }
  const named =
    destination.kind === 'registry' || destination.kind === 'docker-archive'
      ? destination.reference?.tag
      : destination.tag;
  const given = [...(named ? [named] : []), ...asked];
  const tags = [...new Set(given.length > 0 ? given : [own ?? DEFAULT_TAG])];
  const isLayout = destination.kind === 'oci' || destination.kind === 'oci-archive';
  for (const tag of tags) isLayout ? checkRefName(tag) : checkTag(tag);
  return tags;
}

/** Throws UserError `platforms` when a destination cannot hold that many platforms: better before the work than after. */
export function checkRoom(destinations: readonly Location[], platforms: number): void {
  const archive = destinations.find((destination) => destination.kind === 'docker-archive');
  if (!archive || platforms === 1) return;
  throw new UserError('platforms', `${formatLocation(archive)} holds one platform, and there are ${platforms}`, {
    hint: 'Choose one with --system, or write an oci-archive: instead.',
  });
}

/** Throws UserError `input` where a disk would go to an archive that holds container images alone. */
export function checkTakesDisks(destinations: readonly Location[]): void {
  const archive = destinations.find((destination) => destination.kind === 'docker-archive');
  if (!archive) return;
  throw new UserError('input', `${formatLocation(archive)} holds container images, and this is a disk`, {
    hint: 'Write an oci-archive: instead, or fetch the disk with nix-images pull.',
  });
}

/**
 * Files before registries, otherwise in the order given: a disk that is full must be noticed before a tag has moved that
 * others pull.
 */
export const filesFirst = <T extends Pick<Location, 'kind'>>(destinations: readonly T[]): T[] => [
  ...destinations.filter(({ kind }) => kind !== 'registry'),
  ...destinations.filter(({ kind }) => kind === 'registry'),
];

/**
 * Throws UserError `input` when two destinations would write the same archive under different names or formats: the last
 * one would win.
 */
export function checkFileDestinations(destinations: readonly Location[]): void {
  const byPath = new Map<string, Location>();
  for (const destination of destinations) {
    if (destination.kind !== 'oci-archive' && destination.kind !== 'docker-archive') continue;
    const other = byPath.get(destination.path);
    if (other && archiveName(other) !== archiveName(destination)) {
      throw new UserError('input', `${formatLocation(other)} and ${formatLocation(destination)} are one file`, {
        hint: 'Name a file for each.',
      });
    }
    byPath.set(destination.path, destination);
  }
}

function archiveName(destination: Location): string {
  const reference = destination.kind === 'docker-archive' ? destination.reference : undefined;
  return [destination.kind, reference?.host, reference?.repository].join(' ');
}

/** Targets in one place become one, with the tags of all: what goes there is sent once. The first says all else of it. */
export function mergeTargets<T extends Target>(targets: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const target of targets) {
    const first = byName.get(target.repository.name) ?? target;
    byName.set(first.repository.name, { ...first, tags: [...new Set([...first.tags, ...target.tags])] });
  }
  return [...byName.values()];
}
