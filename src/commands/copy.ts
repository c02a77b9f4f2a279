import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { defineCommand } from '../host/command.ts';
import { choice, flag, lines } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Reference } from '../oci/reference.ts';
import { SYSTEMS } from '../oci/system.ts';
import { copyImage, manifestToCopy, platformsIn } from '../publish/copy-image.ts';
import { type DestinationLine, parseDestinationLine, requiredLines } from '../publish/destination-line.ts';
import { checkFixedTags } from '../publish/fixed-tags.ts';
import { OptionalTargets } from '../publish/optional-targets.ts';
import { destinationData, FAILED_DESTINATIONS, failedDestinations, references } from '../publish/report.ts';
import {
  checkFileDestinations,
  checkRoom,
  chooseTags,
  filesFirst,
  mergeTargets,
  type PublishedTarget,
  publishedTarget,
} from '../publish/target.ts';
import { checkSizesIn } from '../storage/blob-limit.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { besideTargets } from './beside-targets.ts';
import { noteLowerCase } from './naming.ts';
import { inFolder, type Places, placesOf } from './places.ts';
import type { ImageTarget } from './publish-targets.ts';
import { repositoryInputs } from './repositories.ts';
import { imageReference, registryInputs } from './shared-inputs.ts';
import { runTags } from './tags.ts';

export const copy = defineCommand({
  name: 'copy',
  summary: 'Copy an image or index to other registries, layouts and archives, with its signatures.',
  description:
    'Copies byte for byte, so digests stay: every platform, and what refers to the image (signatures, SBOMs). What a destination has ' +
    'is not sent, blobs are mounted where the registry can, all others are read once for all destinations, and tags move last.',
  inputs: {
    reference: imageReference,
    to: lines({
      description:
        'Destination, written as the image is; `{name}` in it is the repository of the image. Behind it may stand `tag=TAG`, ' +
        'several times, for tags of its own, and `may-fail`, for one that the others do not depend on. Several are given one by one.',
      placeholder: 'DEST',
      parse: parseDestinationLine,
    }),
    tags: lines({
      description:
        "Tag to move at every destination. Default: the destination's own, or else that of the image, or `latest`.",
      placeholder: 'TAG',
      flag: 'tag',
      short: 't',
    }),
    system: choice(SYSTEMS, { description: 'System whose image is copied alone. Default: all that is there.' }),
    referrers: flag({
      description: 'Copy what refers to the image too, such as signatures and SBOMs (OCI 1.1).',
      default: true,
    }),
    verify: flag({ description: 'Ask every destination for every manifest and blob before a tag moves.' }),
    ...registryInputs,
    ...repositoryInputs,
  },
  outputs: {
    digest: 'Digest of what was copied.',
    references: 'Every reference that now means it, one per line, such as `docker://ghcr.io/org/app:v1`.',
    failedDestinations: FAILED_DESTINATIONS,
  },
  async run(inputs, host) {
    const { reference, to, system, verify } = inputs;
    if (to.length === 0) {
      throw new UserError('input', 'no destination', {
        hint: 'Name one with --to; in a workflow it is the input `to`.',
      });
    }
    noteLowerCase(to, host.log);
    const places = await placesOf(host, inputs);
    const targets = await targetsOf(inputs, places, host);
    const required = requiredLines(targets);
    const optional = targets.filter((target) => !required.includes(target));
    const image = await places.openForReading(inFolder(reference, host.cwd));
    const beside = besideTargets(optional, { places, optional: new OptionalTargets() });
    try {
      const manifest = await manifestToCopy(image, system);
      checkRoom(
        targets.map(({ location }) => location),
        platformsIn(manifest),
      );
      const repositories = required.map(({ repository }) => repository);
      await checkSizesIn(manifest, image.source, repositories);
      const locations = required.map(({ location }) => location);
      const isFixed = await places.prepare(locations);
      const isOther = (tagged: StoredManifest): boolean => tagged.digest !== manifest.digest;
      await checkFixedTags(required, { isFixed, isOther, read: readTagsOnce(), run: undefined });
      const options = { referrers: inputs.referrers, verify, log: host.log, clock: systemClock, signal: host.signal };
      const { followers } = beside;
      const { referrers } = await copyImage(manifest, image.source, required, { ...options, followers });
      await places.show(locations, manifest);
      const rest = await beside.publish(manifest, image.source, { ...options, run: undefined });
      const { digest, mediaType } = manifest;
      const published = [...required.map((target) => publishedTarget(target)), ...rest];
      return { digest, mediaType, referrers, targets: published };
    } catch (error) {
      await Promise.all(required.map(({ repository }) => repository.abandon()));
      await beside.stop();
      throw error;
    } finally {
      await image.source.close();
    }
  },
  present: ({ digest, mediaType, referrers, targets }) => ({
    outputs: {
      digest,
      references: references(targets).join('\n'),
      failedDestinations: failedDestinations(targets).join('\n'),
    },
    data: {
      schemaVersion: 1,
      digest,
      mediaType,
      referrers,
      destinations: destinationData(targets),
    },
    text: [`${digest}${referrers > 0 ? `, with ${referrers} that refer to it` : ''}`, ...targets.map(targetText)].join(
      '\n',
    ),
  }),
});

/** The tag that an image is named by; null where it has none. */
const tagOf = (location: Location): string | null =>
  ('reference' in location ? location.reference?.tag : 'tag' in location ? location.tag : undefined) ?? null;

interface CopyInputs {
  readonly reference: Location;
  readonly to: readonly DestinationLine[];
  readonly tags: readonly string[];
}

/** Where the image goes. Throws UserError as `tagsAt` and `checkFileDestinations` do. */
async function targetsOf({ reference, to, tags }: CopyInputs, places: Places, host: Host): Promise<ImageTarget[]> {
  const named = nameOf(reference);
  const own = await runTags(to, [], host);
  const found = to.flatMap((line) => {
    const location = inFolder(destinationOf(line, named), host.cwd);
    const asked = own.at(line, named?.repository ?? '');
    if (asked?.length === 0) return [];
    return { location, kind: location.kind, mayFail: line.mayFail, tags: tagsAt(location, asked ?? tags, reference) };
  });
  if (found.length === 0) {
    throw new UserError('input', 'no rule of the tags of any destination applies', { hint: 'Name a tag: tag=latest.' });
  }
  const ordered = filesFirst(found);
  checkFileDestinations(ordered.map(({ location }) => location));
  const targets = ordered.map((one) => ({ ...one, repository: places.openForWriting(one.location, named) }));
  const required = requiredLines(targets);
  return mergeTargets([...required, ...targets.filter((target) => !required.includes(target))]);
}

/** One line of what became of a target. */
const targetText = ({ name, tags, bytesSent, failure }: PublishedTarget): string =>
  failure === undefined
    ? `${name}: ${tags.join(', ')}, ${sizeText(bytesSent)} sent`
    : `${name}: not published, which is allowed: ${failure}`;

/** The tags to move at a destination. Throws UserError `reference` where nothing names one: a digest is not `latest`. */
function tagsAt(destination: Location, asked: readonly string[], image: Location): readonly string[] {
  const isDigest = image.kind === 'registry' && image.reference.digest !== undefined;
  if (!isDigest || [...asked, tagOf(destination), tagOf(image)].some(Boolean))
    return chooseTags(destination, asked, tagOf(image));
  throw new UserError(
    'reference',
    `${formatLocation(destination)} names no tag, and the image is named by its digest`,
    {
      hint: 'Name a tag in --to, or with --tag.',
    },
  );
}

/** What an image is called, without tag and digest; undefined where only its file has a name. */
function nameOf(location: Location): Reference | undefined {
  const reference = 'reference' in location ? location.reference : undefined;
  return reference && { host: reference.host, repository: reference.repository };
}

function destinationOf(template: LocationTemplate, named: Reference | undefined): Location {
  if (!template.hasName || named) return locationOf(template, named?.repository ?? '');
  throw new UserError('reference', `the image has no name to put into ${template.text}`, {
    hint: 'Write the name of the repository in the place of {name}.',
  });
}
