import { parseAge } from '../core/age.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { choices, flag, lines, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { parseTag } from '../oci/reference.ts';
import { SYSTEMS } from '../oci/system.ts';
import { checkAge, checkKeepsPlatforms, checkReferrers, checkSystems, type ImageToPromote } from '../promote/checks.ts';
import { copyCandidate } from '../promote/copy-candidate.ts';
import { type Looked, lookAtChannels, promoteImage } from '../promote/promote-image.ts';
import type { PromotionResult } from '../promote/report.ts';
import { platformManifests, wholeImage } from '../promote/whole-image.ts';
import { type DestinationLine, parseRegistryLine } from '../publish/destination-line.ts';
import { mergeTargets } from '../publish/target.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { namedManifest } from '../storage/read-tag.ts';
import { noteLowerCase } from './naming.ts';
import { placesOf } from './places.ts';
import {
  channelPlace,
  checkMayMove,
  loginPlace,
  PROMOTION_OUTPUTS,
  presentPromotion,
  promotedReference,
  promoteOptions,
  promotingInputs,
  type RegistryLocation,
} from './promoting.ts';
import { repositoryInputs } from './repositories.ts';
import { registryInputs } from './shared-inputs.ts';
import { runTags } from './tags.ts';

export const promote = defineCommand({
  name: 'promote',
  summary: 'Move channels (tags such as stable) to an image that is published already, after checks.',
  description:
    'Nothing is built, and in one repository nothing is copied; to others, blobs are mounted where the registry can, and signatures and SBOMs go ' +
    'along. Every check and every copy comes before the first tag moves. Channels only move forward: a slower, older run leaves alone what a newer ' +
    'one has moved. Each move is recorded as what refers to the image; `history` shows the records, and `rollback` goes back along them.',
  inputs: {
    reference: promotedReference,
    channels: lines({
      description: 'Tag to move at every destination, such as `stable`.',
      placeholder: 'TAG',
      flag: 'channel',
      short: 'c',
      parse: parseTag,
    }),
    to: lines({
      description:
        'Repository whose channels move; `{name}` in it is the repository of the image, and it may be followed by `tag=TAG` for channels of its ' +
        'own. Default: the repository of the image. Several are given one by one.',
      placeholder: 'DEST',
      parse: parseRegistryLine,
    }),
    newChannel: flag({
      description: 'Make channels that do not exist; by default, that is an error, since the name may be mistyped.',
    }),
    systems: choices(SYSTEMS, { description: 'System that the image must be for.', flag: 'system' }),
    allowMissing: flag({ description: 'Promote although a channel loses a platform that it has now.' }),
    minAge: text({
      description:
        'How old the image must be, such as `12h` or `7d`: since its promotion to the channel that it is named by, or else since it was made.',
      placeholder: 'AGE',
      parse: parseAge,
    }),
    requireReferrer: lines({
      description:
        'Type of what must refer to the image or each of its platforms, such as `application/spdx+json` for an SBOM; its signature is not verified.',
      placeholder: 'TYPE',
    }),
    referrers: flag({
      description: 'Copy what refers to the image to other repositories too, such as signatures and SBOMs.',
      default: true,
    }),
    ...promotingInputs,
    ...registryInputs,
    ...repositoryInputs,
  },
  outputs: PROMOTION_OUTPUTS,
  async run(inputs, host): Promise<PromotionResult> {
    const { reference, to, channels } = inputs;
    noteLowerCase(to, host.log);
    const destinations = await channelsAt(reference, to, channels, host);
    const places = await placesOf(host, { ...inputs, to: to.length > 0 ? to : loginPlace(reference) });
    const { source, reference: named } = await places.openForReading(reference);
    const image = await namedManifest(source, named);
    const { log, signal } = host;
    const candidate = { source, reference: named, image, platforms: await wholeImage(source, image) };
    checkSystems(candidate, inputs.systems);
    const now = systemClock.now();
    if (inputs.minAge !== undefined) await checkAge(candidate, { least: inputs.minAge, now, log });
    await checkReferrers(candidate, inputs.requireReferrer, log);
    const targets = mergeTargets(
      destinations.map(({ location, tags }) => ({
        kind: location.kind,
        repository: places.openForWriting(location),
        tags,
      })),
    );
    const locations = destinations.map(({ location }) => location);
    await checkMayMove(image, targets, locations, places);
    const options = {
      ...promoteOptions(inputs, 'forward', host),
      kind: 'promote',
      from: channelPlace(reference),
      mayCreate: inputs.newChannel,
    } as const;
    const looked = await lookAtChannels(image, targets, options);
    if (!inputs.allowMissing) await checkPlatforms(candidate, looked);
    const repositories = targets.map(({ repository }) => repository);
    const copying = { referrers: inputs.referrers, log, clock: systemClock, signal };
    const referrers = await copyCandidate(candidate, repositories, copying);
    const moved = await promoteImage(image, targets, options);
    await places.show(locations, image);
    return { kind: 'promote', digest: image.digest, from: options.from, channels: moved, referrers };
  },
  present: presentPromotion,
});

interface Destination {
  readonly location: Location;
  readonly tags: readonly string[];
}

/** The channels that move at each destination. Throws UserError `input` where none is named, and `reference`. */
async function channelsAt(
  image: RegistryLocation,
  to: readonly DestinationLine[],
  channels: readonly string[],
  host: Host,
): Promise<readonly Destination[]> {
  const { host: registry, repository } = image.reference;
  const own = await runTags(to, [], host);
  const asked =
    to.length === 0
      ? [{ location: { kind: 'registry', reference: { host: registry, repository } } as const, tags: channels }]
      : to.map((line) => ({ location: locationOf(line, repository), tags: own.at(line, repository) ?? channels }));
  if (to.some(({ mayFail }) => mayFail)) {
    throw new UserError('input', 'a destination of a promotion has may-fail', {
      hint: 'Channels move only when all destinations have the image: promote to that one in a step of its own.',
    });
  }
  return asked.map(({ location, tags }) => {
    const tag = location.kind === 'registry' ? location.reference.tag : undefined;
    const all = [...new Set([...(tag === undefined ? [] : [tag]), ...tags])];
    if (all.length > 0) return { location, tags: all };
    throw new UserError('input', 'no channel to promote to', {
      hint: 'Name one with --channel, such as stable; in a workflow it is the input `channels`.',
    });
  });
}

/** Throws UserError `platforms` where a channel would lose one. */
async function checkPlatforms(candidate: ImageToPromote, channels: readonly Looked[]): Promise<void> {
  for (const { source, tag, live, verdict } of channels) {
    if (live === undefined || verdict.kind !== 'move') continue;
    const platforms = await platformManifests(source, live.image);
    checkKeepsPlatforms(candidate, `${source.name}:${tag}`, platforms);
  }
}
