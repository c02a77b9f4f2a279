import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { choice, flag, lines, path, text } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { parseDestinationLine } from '../publish/destination-line.ts';
import { OptionalTargets } from '../publish/optional-targets.ts';
import { FAILED_DESTINATIONS } from '../publish/report.ts';
import { checkFileDestinations } from '../publish/target.ts';
import { copyEntry, planCopy } from './copy-entry.ts';
import { copyListed } from './copy-listed.ts';
import { noteLowerCase, parsePlace } from './naming.ts';
import { placesOf } from './places.ts';
import { type CopyResult, presentCopy } from './present-copy.ts';
import { repositoryInputs } from './repositories.ts';
import { registryInputs } from './shared-inputs.ts';
import { runTags } from './tags.ts';

export const copy = defineCommand({
  name: 'copy',
  summary: 'Copy an image or index to other registries, layouts and archives, with its signatures.',
  description:
    'Copies byte for byte, so digests stay: every platform, and what refers to the image (signatures, SBOMs). What a destination has ' +
    'is not sent, blobs are mounted where the registry can, all others are read once for all destinations, and tags move last. A list copies ' +
    'many images, into one archive for an air gap too.',
  inputs: {
    reference: text({
      description:
        'The image: `docker://REFERENCE` or a plain reference, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:REFERENCE]`.',
      placeholder: 'REF',
      positional: true,
      parse: parsePlace,
    }),
    list: path({
      description:
        'File that names many images, or `-` for standard input: `SOURCE DESTINATION…` a line, with comments after `#`; `to` is for lines ' +
        'without a destination. One that cannot be copied leaves the others, and the command fails at the end.',
      placeholder: 'FILE',
    }),
    to: lines({
      description:
        'Destination, written as the image is; `{name}` in it is the repository of the image. It may be followed by `tag=TAG`, ' +
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
    digest: 'Digest of what was copied; empty for a list of several.',
    references: 'Every reference that now means it, one per line, such as `docker://ghcr.io/org/app:v1`.',
    failedDestinations: FAILED_DESTINATIONS,
  },
  async run(inputs, host): Promise<CopyResult> {
    const { reference, list, to, tags, system, referrers, verify } = inputs;
    if ((reference === undefined) === (list === undefined)) {
      throw new UserError('input', reference ? 'both an image and a list are named' : 'missing image', {
        hint: 'Name the image to copy, or with --list a file that names many.',
      });
    }
    noteLowerCase(to, host.log);
    const shared = { host, system, referrers, verify, optional: new OptionalTargets() };
    if (list !== undefined) {
      const places = await placesOf(host, inputs);
      return { kind: 'list', outcomes: await copyListed({ list, to, tags }, { ...shared, places }) };
    }
    if (reference === undefined || to.length === 0) {
      throw new UserError('input', 'no destination', {
        hint: 'Name one with --to; in a workflow it is the input `to`.',
      });
    }
    const planned = planCopy(reference, to, { tags, own: await runTags(to, [], host), cwd: host.cwd });
    checkFileDestinations(planned.destinations.map(({ location }) => location));
    const places = await placesOf(host, inputs);
    const copied = await copyEntry(planned, {
      ...shared,
      places,
      openForReading: places.openForReading,
      openForWriting: places.openForWriting,
      isHeldOpen: () => false,
    });
    return { kind: 'image', copied };
  },
  present: presentCopy,
});
