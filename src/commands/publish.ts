import { buildFromNix } from '../build/build-from-nix.ts';
import { NO_JOURNAL } from '../build/journal.ts';
import { buildForeign } from '../foreign/build-foreign.ts';
import { defineCommand } from '../host/command.ts';
import { choices, flag, lines, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { SYSTEMS, type System } from '../image/system.ts';
import type { Installable } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { builtChild, type Child, handedChild } from '../publish/child.ts';
import { jobParts, type Part, soleImage } from '../publish/part.ts';
import { checkPlatforms } from '../publish/platforms.ts';
import { LostError, type PublishedIndex, publishIndex } from '../publish/publish-index.ts';
import { publishData, publishSummary, publishText, references } from '../publish/report.ts';
import { parseTagLine } from '../publish/tag-rules.ts';
import { checkFiles, checkRoom, chooseTags, filesFirst, mergeTargets, type Target } from '../publish/target.ts';
import { type Destination, parseDestination } from '../registry/destination.ts';
import { parseReference } from '../registry/reference.ts';
import { collectHandovers } from './collecting.ts';
import { jobOf } from './github.ts';
import { inFolder, type Places, placesOf } from './places.ts';
import { type Reuse, reuseOf } from './reuse.ts';
import { nixInputs, registryInputs, reuseInputs } from './shared-inputs.ts';
import { tagsOfRun } from './tags.ts';
import { buildTools, installables, nixOf } from './wiring.ts';

export const publish = defineCommand({
  name: 'publish',
  summary: 'Publish one image for all its systems as one multi-arch index.',
  description:
    'Takes what build jobs handed over, builds what they did not, checks that every system has its image, writes the ' +
    'index to every destination, reads it back, and only then moves the tags.',
  inputs: {
    installable: lines({
      description: 'The image, as `FLAKE#NAME`; what is not handed over of it is built here.',
      placeholder: 'INSTALLABLE',
      positional: true,
    }),
    from: lines({
      description:
        'Folder of a handover, or one that holds several. In a workflow, the artifacts of the run unless given.',
      placeholder: 'DIR',
    }),
    image: text({
      description: 'Name of the image to publish, where the run has handovers of several.',
      placeholder: 'NAME',
      faces: 'action',
    }),
    to: lines({
      description:
        'Destination: `docker://REFERENCE` or a plain reference, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, ' +
        "`docker-archive:FILE[:REFERENCE]`. An OCI layout in a folder of the image's name unless given.",
      placeholder: 'DEST',
      parse: parseDestination,
    }),
    tag: lines({
      description:
        'Tag to move at every destination, or a rule that makes one from the event of a workflow run, such as ' +
        "`type=ref,event=branch` (docs/tags.md). The definition's own tag, or `latest`, unless given.",
      placeholder: 'TAG',
      short: 't',
      parse: parseTagLine,
    }),
    system: choices(SYSTEMS, { description: 'System to publish; all that the image is defined for unless given.' }),
    allowMissing: flag({ description: 'Publish although the image for a system is missing.' }),
    ...reuseInputs,
    ...nixInputs,
    ...registryInputs,
  },
  outputs: {
    digest: 'Digest of the index.',
    references: 'Every reference that now means it, one a line.',
  },
  async run(inputs, host) {
    const job = await jobOf(host);
    if (job?.isFork) return nothing("Nothing is published for a fork's pull request.");
    const tags = await tagsOfRun(inputs.tag, host);
    if (tags?.length === 0) return nothing('Nothing is published: no rule of `tag` applies to this run.');
    const places = await placesOf(host, inputs);
    // Only installables need Nix: a fan-in job that has all handovers runs without.
    let opened: Promise<Nix> | undefined;
    const nix = (): Promise<Nix> => (opened ??= nixOf(host, inputs.nixArg));
    const given = installables(inputs.installable, inputs.file, inputs.attr);
    const handed = await collectHandovers(inputs, given.length > 0, job, host);
    const parts = inOrder([...handed, ...(await jobsLeft(given, inputs.system, handed, nix))]);
    const image = soleImage(parts);
    const expected = inputs.system.length > 0 ? inputs.system : parts.flatMap((part) => part.systems);
    checkPlatforms(parts, [...new Set(expected)], inputs.allowMissing);

    const asked = inputs.to.length > 0 ? inputs.to : [defaultDestination(image.name)];
    const destinations = filesFirst(asked).map((destination) => inFolder(destination, host.cwd));
    checkRoom(destinations, parts.length);
    checkFiles(destinations);
    const imageName = parseReference(image.name);
    const targets = mergeTargets(
      destinations.map(
        (destination): Target => ({
          repository: places.openForWriting(destination, imageName),
          tags: chooseTags(destination, tags ?? [], image.tag),
        }),
      ),
    );
    try {
      const reuse = await reuseOf(inputs, targets, places, host);
      const publishWith = async (how: Reuse): Promise<PublishedIndex> =>
        publishIndex(await childrenOf(parts, targets, how, host, places, nix), targets, host);
      const published = await publishWith(reuse).catch((error: unknown) => {
        if (!(error instanceof LostError)) throw error;
        // A blob behind a live manifest is gone: nothing is believed any more, everything is made and asked for.
        host.log.warn(`${error.message}; making all layers again`);
        return publishWith({ ...reuse, journal: NO_JOURNAL, recompress: true });
      });
      await reuse.journal.clear();
      return {
        outputs: { digest: published.index.digest, references: references(targets).join('\n') },
        data: publishData(image.name, published, targets),
        text: publishText(published, targets),
        summary: publishSummary(image.name, published, targets),
      };
    } catch (error) {
      if (host.signal.aborted) host.log.warn('stopped; blobs that were sent stay where they are, for the next publish');
      await Promise.all(targets.map(({ repository }) => repository.abandon()));
      throw error;
    }
  },
});

/** The end of a run that has nothing to publish, such as a stranger's pull request. */
const nothing = (why: string) => ({
  outputs: { digest: '', references: '' },
  data: null,
  text: why,
  summary: `${why}\n`,
});

/** One order everywhere, whatever came first. */
const inOrder = (parts: readonly Part[]): Part[] =>
  [...parts].sort((a, b) => SYSTEMS.indexOf(a.system) - SYSTEMS.indexOf(b.system));

/** What is to be built of the installables: every system that was not handed over. */
async function jobsLeft(
  given: readonly Installable[],
  wanted: readonly System[],
  handed: readonly Part[],
  nix: () => Promise<Nix>,
): Promise<Part[]> {
  const systems = new Set(handed.map((part) => part.system));
  const parts: Part[] = [];
  for (const installable of given) parts.push(...(await jobParts(await nix(), installable, wanted, systems)));
  return parts;
}

/** Builds one system after another: each keeps all cores busy by itself, and its bytes are counted apart. */
async function childrenOf(
  parts: readonly Part[],
  targets: readonly Target[],
  reuse: Reuse,
  host: Host,
  places: Places,
  nix: () => Promise<Nix>,
): Promise<Child[]> {
  const repositories = targets.map((target) => target.repository);
  const sent = (): number => repositories.reduce((sum, repository) => sum + repository.bytesSent, 0);
  const children: Child[] = [];
  for (const part of parts) {
    if (part.kind === 'handover') {
      children.push(await handedChild(part.handover, places.openForReading));
    } else {
      const before = sent();
      const tools = await buildTools(host, await nix(), places);
      const image =
        part.kind === 'foreign'
          ? await buildForeign({ ...part, ...reuse, repositories }, tools)
          : await buildFromNix({ ...part, ...reuse, repositories }, tools);
      children.push(builtChild(image, sent() - before));
    }
  }
  return children;
}

/** The last part of an image's name is a folder here: `oci:app`. */
const defaultDestination = (name: string): Destination => ({
  kind: 'oci',
  path: name.slice(name.lastIndexOf('/') + 1),
});
