import { recordsOf } from '../channel/channel.ts';
import { ageText } from '../core/age.ts';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { inspectReferrers } from '../inspect/attached.ts';
import { CREATED } from '../oci/config.ts';
import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import type { ImageSource } from '../storage/source.ts';
import type { PlatformManifest } from './whole-image.ts';

/** The image that is to be promoted, where it is now. */
export interface ImageToPromote {
  readonly source: ImageSource;
  /** Its tag or digest there. */
  readonly reference: string;
  readonly image: StoredManifest;
  readonly platforms: readonly PlatformManifest[];
}

const nameOf = ({ source, reference }: ImageToPromote): string =>
  `${source.name}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`;

/** Throws UserError `platforms` where the image is missing one of `systems`. */
export function checkSystems(candidate: ImageToPromote, systems: readonly System[]): void {
  const has = candidate.platforms.map(({ platform }) => platform);
  const missing = systems
    .map((system) => platformText(platformOf(system)))
    .filter((platform) => !has.includes(platform));
  if (missing.length === 0) return;
  throw new UserError(
    'platforms',
    `${nameOf(candidate)} has no image for ${missing.join(', ')}, only for ${[...new Set(has)].join(', ') || 'no platform'}`,
    { hint: 'Publish it for all systems first.' },
  );
}

/** Throws UserError `platforms` where a channel would lose a platform that it has now. */
export function checkKeepsPlatforms(
  candidate: ImageToPromote,
  channel: string,
  live: readonly PlatformManifest[],
): void {
  const has = candidate.platforms.map(({ platform }) => platform);
  const lost = [...new Set(live.map(({ platform }) => platform))].filter((platform) => !has.includes(platform));
  if (lost.length === 0) return;
  throw new UserError(
    'platforms',
    `${channel} would lose ${lost.join(', ')}: ${nameOf(candidate)} is for ${has.join(', ')}`,
    {
      hint: 'Publish it for all systems first; to drop a platform on purpose, use --allow-missing.',
    },
  );
}

interface AgeOptions {
  /** Milliseconds. */
  readonly least: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly log: Log;
}

/**
 * Throws UserError `input` where the image is younger than `least`: counted from its promotion to the channel that it is named by, or
 * else from when its maker says that it was made.
 */
export async function checkAge(candidate: ImageToPromote, { least, now, log }: AgeOptions): Promise<void> {
  const { source, reference, image, platforms } = candidate;
  const isTag = !reference.startsWith('sha256:');
  const promoted = isTag ? (await recordsOf({ source, tag: reference }, image.digest, log)).at(-1)?.time : undefined;
  const since = promoted ?? madeAt(image, platforms);
  if (since === undefined) {
    throw new UserError('input', `${nameOf(candidate)} does not say when it was made, so its age is not known`, {
      hint: 'Images of the actions say it (org.opencontainers.image.created), as do promotions. Leave out --min-age.',
      docs: 'promote.md#what-is-checked',
    });
  }
  const age = now - Date.parse(since);
  if (age >= least) return;
  throw new UserError(
    'input',
    `${nameOf(candidate)} is ${ageText(age)} old, since ${since}; it must be ${ageText(least)} old`,
    {
      hint: 'Promote it later, or with a smaller --min-age.',
    },
  );
}

/** The latest time that the parts of an image name; undefined where they name none, or the fixed one of reproducible builds. */
function madeAt(image: StoredManifest, platforms: readonly PlatformManifest[]): string | undefined {
  const own = parseManifest(image).annotations?.[ORIGIN_ANNOTATION.created];
  const times = [
    own,
    ...platforms.map(({ annotations, created }) => annotations[ORIGIN_ANNOTATION.created] ?? created),
  ];
  const valid = times.filter((time): time is string => time !== undefined && Date.parse(time) > Date.parse(CREATED));
  return valid.sort((a, b) => Date.parse(a) - Date.parse(b)).at(-1);
}

/** Throws UserError `registry` unless the image, or each of its platforms, has what refers to it of each of the types. */
export async function checkReferrers(candidate: ImageToPromote, types: readonly string[], log: Log): Promise<void> {
  if (types.length === 0) return;
  const { source, image, platforms } = candidate;
  const found = await inspectReferrers(source, [image.digest, ...platforms.map(({ digest }) => digest)], {
    artifactType: undefined,
    log,
  });
  for (const type of types) {
    const subjects = new Set(found.filter(({ artifactType }) => artifactType === type).map(({ subject }) => subject));
    const without = platforms.filter(({ digest }) => !subjects.has(digest)).map(({ platform }) => platform);
    if (subjects.has(image.digest) || without.length === 0) continue;
    const kinds = [...new Set(found.flatMap(({ artifactType }) => artifactType ?? []))].sort();
    throw new UserError('registry', `${nameOf(candidate)} has no ${type} for ${without.join(', ')}`, {
      hint: `Attach it to the index, or to each platform. What refers to the image is of ${kinds.join(', ') || 'no type'}.`,
      docs: 'promote.md#what-is-checked',
    });
  }
}
