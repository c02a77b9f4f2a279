import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { flag, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { lowerCaseRepository } from '../oci/lower-case-repository.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { formatReference } from '../oci/reference.ts';
import type { PromoteOptions } from '../promote/promote-image.ts';
import {
  channelReferences,
  type PromotionResult,
  promotionData,
  promotionSummary,
  promotionText,
} from '../promote/report.ts';
import type { Order } from '../promote/verdict.ts';
import { checkFixedTags } from '../publish/fixed-tags.ts';
import type { Target } from '../publish/target.ts';
import { type Location, parseRegistryLocation } from '../storage/location.ts';
import { type LocationTemplate, parseLocationTemplate } from '../storage/location-template.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { runOf } from './github.ts';
import type { Places } from './places.ts';

/** A place in a registry. */
export type RegistryLocation = Extract<Location, { kind: 'registry' }>;

/** Reads a place in a registry, with a repository's capitals as small letters. Throws UserError `reference`. */
const parseRegistryPlace = (written: string): RegistryLocation => parseRegistryLocation(lowerCaseRepository(written));

/** The argument of commands about one channel. */
export const channelReference = text({
  description: 'The channel: a repository of a registry with the tag that moves, such as `ghcr.io/org/app:stable`.',
  placeholder: 'REF',
  positional: true,
  required: true,
  parse: parseRegistryPlace,
});

/** The tag of a channel. Throws UserError `reference` where none is written: nothing says that `latest` is meant. */
export function tagOf(place: RegistryLocation): string {
  const { tag } = place.reference;
  if (tag !== undefined) return tag;
  throw new UserError('reference', `${channelPlace(place)} names no channel`, {
    hint: 'Write the tag behind it: ghcr.io/org/app:stable.',
  });
}

/** The argument of `promote`. */
export const promotedReference = text({
  description: 'The image to promote, by tag or digest: `ghcr.io/org/app:edge`, `ghcr.io/org/app@sha256:…`.',
  placeholder: 'REF',
  positional: true,
  required: true,
  parse: parseRegistryPlace,
});

/** Inputs of the commands that move channels. */
export const promotingInputs = {
  moveBack: flag({
    description:
      'Move channels even if a newer run of the repository has moved them, or to an image that an older run made; by default, they only move forward.',
  }),
  record: flag({
    description: 'Record the move as what refers to the image (OCI 1.1), for `history` and `rollback`.',
    default: true,
  }),
} as const;

/** What moves of channels are made with, as the inputs and the run say. */
export function promoteOptions(
  { moveBack, record }: { readonly moveBack: boolean; readonly record: boolean },
  order: Order,
  host: Host,
): Omit<PromoteOptions, 'kind' | 'from' | 'mayCreate'> {
  const run = runOf(host);
  return {
    order: moveBack ? 'any' : order,
    isRecorded: record,
    run,
    by: run && host.env('GITHUB_ACTOR'),
    log: host.log,
    clock: systemClock,
    signal: host.signal,
  };
}

/** Throws UserError `registry` where a repository does not let a channel move, as far as it can be asked. */
export async function checkMayMove(
  image: StoredManifest,
  targets: readonly Target[],
  locations: readonly Location[],
  places: Places,
): Promise<void> {
  const isFixed = await places.prepare(locations);
  const isOther = (tagged: StoredManifest): boolean => tagged.digest !== image.digest;
  await checkFixedTags(targets, { isFixed, isOther, read: readTagsOnce(), run: undefined });
}

/** The registry that a login without a name is for: that of the channel. */
export const loginPlace = (place: RegistryLocation): LocationTemplate => parseLocationTemplate(channelPlace(place));

/** What a place is called in records and reports. */
export const channelPlace = ({ reference }: RegistryLocation): string => formatReference(reference);

/** What the outputs of those names are. */
export const PROMOTION_OUTPUTS = {
  digest: 'Digest that the channels mean now.',
  previous: 'Digest that the first channel meant before; empty where it is new.',
  changed: 'Whether any channel moved, `true` or `false`.',
  references: 'Channels that mean it now, one per line, such as `ghcr.io/org/app:stable`.',
  json: 'All of it as JSON.',
} as const;

export const presentPromotion = (result: PromotionResult) => ({
  outputs: {
    digest: result.digest,
    previous: result.channels[0]?.before ?? '',
    changed: String(result.channels.some(({ outcome }) => outcome === 'moved')),
    references: channelReferences(result.channels).join('\n'),
    json: JSON.stringify(promotionData(result)),
  },
  data: promotionData(result),
  text: promotionText(result),
  summary: promotionSummary(result),
});
