import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/retry.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import type { StartedRun } from '../oci/newer-run.ts';
import { isForSystem, isImageEntry, normalisePlatform } from '../oci/platform.ts';
import { parseImageManifest, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import { copyManifestTree } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import { imageForSystem } from '../storage/image-for-system.ts';
import { readPlatform } from '../storage/read-config.ts';
import { namedManifest, readTagsOnce } from '../storage/read-tag.ts';
import type { ImageSource, OpenedImage } from '../storage/source.ts';
import { copyReferrers, NOTHING } from './copy-referrers.ts';
import { lookAtTags, type TagMove } from './move-tags.ts';
import { readBack } from './read-back.ts';
import { moveForward } from './settle-tags.ts';
import type { Target } from './target.ts';

/**
 * The manifest to copy: what a tag or digest names, or its image for one system. Throws UserError `reference` when there is
 * none, `platforms` when it is for other systems.
 */
export async function manifestToCopy(
  { source, reference }: OpenedImage,
  system: System | undefined,
): Promise<StoredManifest> {
  const stored = await namedManifest(source, reference);
  if (system === undefined) return stored;
  const { manifest, platforms } = isManifestType(stored.mediaType)
    ? await soleImage(source, stored, system)
    : await imageForSystem(source, stored, system);
  if (manifest) return manifest;
  const has = [...new Set(platforms)].join(', ') || 'no platform';
  throw new UserError(
    'platforms',
    `${source.name} ${reference} has no image for ${platformText(platformOf(system))}, only for ${has}`,
    { hint: 'Leave out --system to copy all that is there.' },
  );
}

async function soleImage(source: ImageSource, stored: StoredManifest, system: System) {
  const config = await readPlatform(source, parseImageManifest(stored).config, `${source.name} ${stored.digest}`);
  const platforms = [platformText(normalisePlatform(config))];
  return { manifest: isForSystem(config, system) ? stored : undefined, platforms };
}

/** How many platforms a manifest is for. */
export const platformsIn = (manifest: StoredManifest): number =>
  isIndexType(manifest.mediaType) ? parseIndex(manifest).manifests.filter(isImageEntry).length : 1;

interface CopyOptions {
  /** Whether what refers to the image goes along, such as signatures. */
  readonly referrers: boolean;
  /** Whether destinations whose tags mean the image already are asked for all of it. */
  readonly verify: boolean;
  /** Get what is read for the targets as it passes. */
  readonly followers?: readonly Follower[];
  /** This run, before whose time no tag is moved back; undefined where tags may be, or this is not a run. */
  readonly run?: StartedRun | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What a copy came to. */
interface CopiedImage {
  /** How many referrers went along. */
  readonly referrers: number;
  /** Tags that were left alone, because a newer run has moved them. */
  readonly left: readonly TagMove[];
}

/**
 * Copies an image or index with all that it names, byte for byte, to every target: each blob is read once for all of those
 * that do not have it. Reads back as a publish does, and moves the tags last. Throws UserError; no tag of the image has moved
 * then, or the error says which have.
 */
export async function copyImage(
  manifest: StoredManifest,
  source: ImageSource,
  targets: readonly Target[],
  { referrers, verify, followers, run, log, clock, signal }: CopyOptions,
): Promise<CopiedImage> {
  const tools = { signal, followers };
  const moves = await lookAtTags(targets, readTagsOnce(), run);
  const isLive = ({ repository }: Target): boolean =>
    moves.filter((move) => move.repository === repository).every(({ before }) => before === manifest.digest);
  const incomplete = verify ? targets : targets.filter((target) => !isLive(target));
  // The manifests of an image that is everywhere are read for what refers to them.
  const isNeeded = incomplete.length > 0 || referrers;
  const copied = isNeeded ? await copyManifestTree(manifest, source, reposOf(incomplete), tools) : NOTHING;
  const to = reposOf(targets.filter(holdsReferrers));
  const attached = referrers
    ? await copyReferrers(copied.manifests, { from: source, to, log, clock, ...tools })
    : NOTHING;
  for (const { repository, kind } of incomplete) {
    const own = holdsReferrers({ kind }) ? attached : NOTHING;
    const manifests = [...copied.manifests, ...own.manifests];
    await readBack(manifests, [...copied.blobs, ...own.blobs], repository, verify || kind !== 'registry');
    log.info(`${repository.name}: verified ${manifest.digest}`);
  }
  signal.throwIfAborted();
  const { left, settled } = await moveForward(targets, moves, manifest, { run, log, clock, signal });
  await settled;
  return { referrers: attached.count, left };
}

const reposOf = (targets: readonly Target[]): Repository[] => targets.map(({ repository }) => repository);

/** docker's archives hold images only. */
const holdsReferrers = ({ kind }: Pick<Target, 'kind'>): boolean => kind !== 'docker-archive';
