import { join } from 'node:path';
import { buildFromNix } from '../build/build-from-nix.ts';
import type { BuiltImage } from '../build/build-image.ts';
import { buildForeign } from '../foreign/build-foreign.ts';
import type { Job } from '../github/job.ts';
import { writeHandover } from '../handover/handover.ts';
import type { HandoverLabel } from '../handover/label.ts';
import { chooseMode, HANDOVER_CHOICES, type HandoverChoice, type HandoverMode } from '../handover/mode.ts';
import { defineCommand } from '../host/command.ts';
import { choice, flag, path, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { platformOf, platformText, SYSTEMS } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { plainMarkdown } from '../io/markdown.ts';
import { sizeText } from '../io/size.ts';
import { evaluateImages } from '../nix/evaluate.ts';
import { possibleSystems } from '../nix/search-places.ts';
import { compressedSize } from '../publish/child.ts';
import { markdownTable, PLATFORM_HEADINGS, platformRow } from '../publish/report.ts';
import { chooseTags } from '../publish/target.ts';
import { type Destination, formatDestination } from '../registry/destination.ts';
import { destinationOf, parseRegistryTemplate } from '../registry/destination-template.ts';
import { trialData, trialError, trialSummary, trialText } from '../trial/report.ts';
import { failedTests, NO_TESTS, recordOf, type Trial } from '../trial/trial.ts';
import { jobOf } from './github.ts';
import {
  type Delivered,
  type HandingOver,
  handOverByArtifact,
  handOverInFolder,
  NOT_DELIVERED,
} from './handing-over.ts';
import { checkTestable, runTests, testInputs } from './image-tests.ts';
import { noteLowerCase } from './naming.ts';
import { type Places, placesOf } from './places.ts';
import { reuseOf } from './reuse.ts';
import { nixInputs, registryInputs, reuseInputs } from './shared-inputs.ts';
import { buildTools, installables, nixOf, systemHere } from './wiring.ts';

export const build = defineCommand({
  name: 'build',
  summary: 'Build one image for one system and leave a handover for publish.',
  description:
    'Realises the image with Nix and makes its layers. The handover is an OCI layout: with `to`, the layers go to that ' +
    'registry and the handover is a few kilobytes; without it, they are in the handover.',
  inputs: {
    installable: text({
      description: 'The image, as `FLAKE#NAME`.',
      placeholder: 'INSTALLABLE',
      positional: true,
    }),
    system: choice(SYSTEMS, { description: "System to build for; this machine's own unless given." }),
    to: text({
      description:
        'Registry that gets the layers now, such as `ghcr.io/org/{name}`; `{name}` is the name of the image.',
      placeholder: 'DEST',
      parse: parseRegistryTemplate,
    }),
    out: path({
      description: 'Folder for the handover; `handover/NAME-SYSTEM` unless given.',
      placeholder: 'DIR',
      faces: 'cli',
    }),
    handover: choice(HANDOVER_CHOICES, {
      description:
        'How the layers get to publish: in an artifact of the run, through the registry that `to` names, or not at all. ' +
        "`auto` takes the registry where there are credentials for it, and for a fork's pull request only builds and reports.",
      default: 'auto',
      faces: 'action',
    }),
    stagingTag: flag({
      description:
        'Keep the image under a tag of its own until it is published, where a registry soon removes what has none.',
    }),
    ...testInputs,
    ...reuseInputs,
    ...nixInputs,
    ...registryInputs,
  },
  outputs: {
    handover: 'Folder, or name of the artifact, that holds the handover.',
    handoverDigest: 'Digest of that artifact, for the input of the same name of `publish`.',
    name: 'Name of the image.',
    system: 'System it is built for.',
    digest: "Digest of the image's manifest.",
  },
  async run(inputs, host) {
    const [installable] = installables(inputs.installable ? [inputs.installable] : [], inputs.file, inputs.attr);
    if (!installable) {
      throw new UserError('input', 'no image is named', {
        hint: 'Write nix-images build FLAKE#NAME, for instance .#app.',
      });
    }
    if (inputs.to) noteLowerCase([inputs.to], host.log);
    const nix = await nixOf(host, inputs);
    const fixed = installable.kind === 'flake' ? installable.system : undefined;
    const system = inputs.system ?? fixed ?? systemHere();
    const others = possibleSystems(installable).filter((other) => other !== system);
    const evaluations = await evaluateImages(nix, installable, { systems: [system], others });
    const evaluated = await evaluations.imageFor(system);
    const { name, tag } = evaluated.kind === 'foreign' ? evaluated.foreign : evaluated.definition;
    if (evaluated.kind === 'definition') await checkTestable(evaluated.definition, system, inputs, host);
    const places = await placesOf(host, inputs);
    const job = await jobOf(host);
    const destination = inputs.to && destinationOf(inputs.to, name);
    const mode = await modeOf(inputs.handover, destination, job, host, places);
    const to = mode === 'registry' ? destination : undefined;
    const label: HandoverLabel = {
      version: 1,
      name,
      tag,
      system,
      systems: [...evaluations.systems],
      mode: to ? 'registry' : 'artifact',
      destination: to ? formatDestination(to) : null,
      run: job ? { id: job.runId, attempt: job.attempt, job: job.job } : null,
      tests: NO_TESTS,
    };
    const handover = await handingOver(label, mode, inputs.out, job, host, places);
    const layers = to ? places.openForWriting(to) : handover.repository;
    try {
      // The fan-in will move these tags; what is under them now is what was published before.
      const before = to ? [{ repository: layers, tags: chooseTags(to, [], tag) }] : [];
      const reuse = await reuseOf(inputs, before, places, host);
      const task = { ...evaluated, repositories: [layers], ...reuse };
      const tools = await buildTools(host, nix, places);
      const image = task.kind === 'foreign' ? await buildForeign(task, tools) : await buildFromNix(task, tools);
      const definition = task.kind === 'foreign' ? undefined : task.definition;
      const trial = await runTests(definition, { ...image, repository: layers }, inputs, host);
      if (failedTests(trial).length > 0) {
        await Promise.all([layers.abandon(), handover.repository.abandon()]);
        return {
          ...result(image, label, trial, 'none', NOT_DELIVERED, layers.bytesSent),
          failure: trialError(name, trial),
        };
      }
      if (to && inputs.stagingTag) await layers.tag(stagingTag(label), image.manifest);
      if (to) await layers.close();
      await writeHandover(handover.repository, image, { ...label, tests: recordOf(trial) });
      await reuse.journal.clear();
      return result(image, label, trial, mode, await handover.deliver(), layers.bytesSent);
    } catch (error) {
      if (host.signal.aborted)
        host.log.warn(`stopped; ${sizeText(layers.bytesSent)} are at ${layers.name}, under no tag`);
      await Promise.all([layers.abandon(), handover.repository.abandon()]);
      throw error;
    }
  },
});

/** On a person's machine naming a registry is the choice; on a runner the job's rights count too. */
async function modeOf(
  asked: HandoverChoice,
  to: Destination | undefined,
  job: Job | undefined,
  host: Host,
  places: Places,
): Promise<HandoverMode> {
  if (!job) return to ? 'registry' : 'artifact';
  const hasCredentials = to !== undefined && (await places.hasCredentials(to));
  const { isFork, isMergeQueue } = job;
  const { mode, why } = chooseMode({ asked, hasDestination: to !== undefined, hasCredentials, isFork, isMergeQueue });
  host.log.info(`handover: ${mode} (${why})`);
  return mode;
}

function handingOver(
  label: HandoverLabel,
  mode: HandoverMode,
  out: string | undefined,
  job: Job | undefined,
  host: Host,
  places: Places,
): HandingOver | Promise<HandingOver> {
  if (job) return handOverByArtifact(label, mode, job, host, places);
  return handOverInFolder(out ?? join('handover', `${label.name.replaceAll('/', '-')}-${label.system}`), host, places);
}

/** Named by run, so that two runs at once keep their images apart. */
const stagingTag = ({ system, run }: HandoverLabel): string => `staging-${system}-${run?.id ?? 'local'}`;

function result(
  image: BuiltImage,
  label: HandoverLabel,
  trial: Trial,
  mode: HandoverMode,
  delivered: Delivered,
  bytesSent: number,
) {
  const { name, system } = label;
  const { place: handover, digest: handoverDigest } = delivered;
  const { digest } = image.manifest;
  const size = compressedSize(image.layers);
  const left = mode === 'none' ? 'not handed over' : `handover: ${handover}`;
  return {
    outputs: { handover, handoverDigest, name, system, digest },
    data: {
      schemaVersion: 1,
      name,
      system,
      platform: platformText(platformOf(system)),
      digest,
      layers: image.layers.length,
      compressedSize: size,
      handover,
      mode,
      bytesSent,
      tests: trialData(trial),
    },
    text: [
      `${name} for ${system}: ${digest}, ${image.layers.length} layers, ${sizeText(size)}`,
      ...(trialText(trial) === '' ? [] : [trialText(trial)]),
      left,
    ].join('\n'),
    summary: [
      `### ${name} for ${system}\n`,
      markdownTable(PLATFORM_HEADINGS, [platformRow(system, digest, image.layers, bytesSent)]),
      ...(trialText(trial) === '' ? [] : [trialSummary(trial)]),
      `${plainMarkdown(left)}\n`,
    ].join('\n'),
  };
}
