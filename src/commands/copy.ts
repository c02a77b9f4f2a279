import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { defineCommand } from '../host/command.ts';
import { choice, flag, lines } from '../host/fields.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Reference } from '../oci/reference.ts';
import { SYSTEMS } from '../oci/system.ts';
import { copyImage, manifestToCopy, platformsIn } from '../publish/copy-image.ts';
import { checkFixedTags } from '../publish/fixed-tags.ts';
import { references } from '../publish/report.ts';
import {
  checkFileDestinations,
  checkRoom,
  chooseTags,
  filesFirst,
  mergeTargets,
  publishedTarget,
} from '../publish/target.ts';
import { checkSizesIn } from '../storage/blob-limit.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import { type LocationTemplate, locationOf, parseLocationTemplate } from '../storage/location-template.ts';
import { readTagsOnce } from '../storage/read-tag.ts';
import { noteLowerCase } from './naming.ts';
import { inFolder, placesOf } from './places.ts';
import { repositoryInputs } from './repositories.ts';
import { imageReference, registryInputs } from './shared-inputs.ts';

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
        'Destination, written as the image is; `{name}` in it is the repository of the image. Several are given one by one.',
      placeholder: 'DEST',
      parse: parseLocationTemplate,
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
  },
  async run(inputs, host) {
    const { reference, to, tags, system, verify } = inputs;
    if (to.length === 0) {
      throw new UserError('input', 'no destination', {
        hint: 'Name one with --to; in a workflow it is the input `to`.',
      });
    }
    noteLowerCase(to, host.log);
    const named = nameOf(reference);
    const destinations = filesFirst(to.map((template) => destinationOf(template, named))).map((destination) =>
      inFolder(destination, host.cwd),
    );
    checkFileDestinations(destinations);
    const places = await placesOf(host, inputs);
    const targets = mergeTargets(
      destinations.map((destination) => ({
        repository: places.openForWriting(destination, named),
        kind: destination.kind,
        tags: tagsAt(destination, tags, reference),
      })),
    );
    const image = await places.openForReading(inFolder(reference, host.cwd));
    try {
      const manifest = await manifestToCopy(image, system);
      checkRoom(destinations, platformsIn(manifest));
      await checkSizesIn(
        manifest,
        image.source,
        targets.map(({ repository }) => repository),
      );
      const isFixed = await places.prepare(destinations);
      const isOther = (tagged: StoredManifest): boolean => tagged.digest !== manifest.digest;
      await checkFixedTags(targets, { isFixed, isOther, read: readTagsOnce(), run: undefined });
      const options = { referrers: inputs.referrers, verify, log: host.log, clock: systemClock, signal: host.signal };
      const attached = await copyImage(manifest, image.source, targets, options);
      await places.show(destinations, manifest);
      const { digest, mediaType } = manifest;
      return { digest, mediaType, referrers: attached, targets: targets.map((target) => publishedTarget(target)) };
    } catch (error) {
      await Promise.all(targets.map(({ repository }) => repository.abandon()));
      throw error;
    } finally {
      await image.source.close();
    }
  },
  present: ({ digest, mediaType, referrers, targets }) => ({
    outputs: { digest, references: references(targets).join('\n') },
    data: {
      schemaVersion: 1,
      digest,
      mediaType,
      referrers,
      destinations: targets.map(({ name, tags, bytesSent }) => ({ name, tags, bytesSent })),
    },
    text: [
      `${digest}${referrers > 0 ? `, with ${referrers} that refer to it` : ''}`,
      ...targets.map(({ name, tags, bytesSent }) => `${name}: ${tags.join(', ')}, ${sizeText(bytesSent)} sent`),
    ].join('\n'),
  }),
});

/** The tag that an image is named by; null where it has none. */
const tagOf = (location: Location): string | null =>
  ('reference' in location ? location.reference?.tag : 'tag' in location ? location.tag : undefined) ?? null;

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
