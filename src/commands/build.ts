import { UserError } from '../core/error.ts';
import type { Job } from '../github/job.ts';
import { parseCall } from '../handover/call.ts';
import { chooseMode, HANDOVER_CHOICES, type HandoverChoice, type HandoverMode } from '../handover/mode.ts';
import { defineCommand } from '../host/command.ts';
import { choice, choices, flag, integer, lines, path, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { evaluateImages } from '../nix/evaluate.ts';
import { possibleSystems } from '../nix/search-places.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { imageLines, parseRegistryToLine } from '../publish/destination-line.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { statusOf } from '../storage/registry/failure.ts';
import { jobOf } from './github.ts';
import { checkTestable, testInputs } from './image-tests.ts';
import { installables } from './installables.ts';
import { type MadeHandover, makeHandover } from './make-handover.ts';
import { noteLowerCase } from './naming.ts';
import { openNixFor } from './open-nix.ts';
import { type Places, placesOf } from './places.ts';
import { placingInputs, placingOf } from './placing.ts';
import { presentBuild } from './present-build.ts';
import { repositoryInputs } from './repositories.ts';
import { nixInputs, registryInputs, reuseInputs } from './shared-inputs.ts';
import { systemHere } from './system-here.ts';
import { decisiveLines, runTags } from './tags.ts';

/** What GitHub lets a repository choose at most (docs.github.com, "Configuring the retention period"). */
const MOST_RETENTION_DAYS = 400;

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
    system: choice(SYSTEMS, { description: "System to build for. Default: this machine's own." }),
    systems: choices(SYSTEMS, {
      description:
        'Every system that the image has, so that publish misses none: `systems` of the job in the matrix of plan. Default: ' +
        'what the evaluation finds.',
    }),
    to: lines({
      description:
        'Registry that gets the layers now, such as `ghcr.io/org/{name}`; `{name}` is the name of the image. Of several, the ' +
        'first that must not fail gets them, and publish copies them to the others.',
      placeholder: 'DEST',
      parse: parseRegistryToLine,
    }),
    out: path({
      description: 'Folder for the handover. Default: `handover/NAME-SYSTEM`.',
      placeholder: 'DIR',
      faces: 'cli',
    }),
    handover: choice(HANDOVER_CHOICES, {
      description:
        'How the layers get to publish: in an artifact of the run, through the registry that `to` names, or not at all: `report` ' +
        'then leaves what is in the image, for `preview`. `auto` takes the registry where there are credentials for it, and ' +
        "for a fork's pull request only reports.",
      default: 'auto',
      faces: 'action',
    }),
    call: text({
      description:
        'Tells what this job hands over from that of other calls in the same run: `call` of the job in the matrix of plan.',
      placeholder: 'CALL',
      faces: 'action',
      parse: parseCall,
    }),
    retentionDays: integer({
      description:
        'Days that GitHub keeps the handover: as long as failed jobs may be re-run. Default: 7 where the layers are at a ' +
        'registry, else 1.',
      placeholder: 'DAYS',
      faces: 'action',
      min: 1,
      max: MOST_RETENTION_DAYS,
    }),
    stagingTag: flag({
      description:
        'Keep the image under a tag of its own until it is published, where a registry soon removes what has none.',
    }),
    ...placingInputs,
    ...testInputs,
    ...reuseInputs,
    ...nixInputs,
    ...registryInputs,
    ...repositoryInputs,
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
      throw new UserError('input', 'missing image', {
        hint: 'Write nix-images build FLAKE#NAME, for instance .#app.',
      });
    }
    noteLowerCase(inputs.to, host.log);
    const nix = await openNixFor(host, inputs);
    const fixed = installable.kind === 'flake' ? installable.system : undefined;
    const system = inputs.system ?? fixed ?? systemHere();
    // A full path says where the image for this system is, not that there is none for another.
    const isNative = installable.kind === 'flake' && fixed === system;
    const open = isNative ? { ...installable, system: undefined } : installable;
    const others = inputs.systems.length > 0 ? [] : possibleSystems(open).filter((other) => other !== system);
    const evaluations = await evaluateImages(nix, open, { systems: [system], others });
    const systems = systemsOf(inputs.systems, evaluations.systems, system);
    const evaluated = await evaluations.foundFor(system);
    const { name, tag } = evaluated;
    await checkTestable(evaluated, inputs, host);
    const placing = await placingOf(evaluated, inputs, host);
    const places = await placesOf(host, inputs);
    const job = await jobOf(host);
    const lines = imageLines(inputs.to);
    const [first] = decisiveLines(lines, name, await runTags(lines, [], host));
    const destination = first && locationOf(first, name);
    const mode = await modeOf(inputs.handover, destination, { job, host, places });
    const make = (how: HandoverMode): Promise<MadeHandover> =>
      makeHandover(
        {
          evaluated,
          name,
          tag,
          system,
          systems,
          mode: how,
          to: how === 'registry' ? destination : undefined,
          published: destination,
          placing,
        },
        inputs,
        { job, host, places, nix },
      );
    if (mode !== 'registry' || inputs.handover !== 'auto' || !job) return make(mode);
    return make(mode).catch((error: unknown) => {
      if (!(error instanceof UserError) || !REFUSED.includes(statusOf(error) ?? 0)) throw error;
      host.log.warn(`${error.message}; handing over by an artifact of the run instead`);
      return make('artifact');
    });
  },
  present: presentBuild,
});

/** All systems of the image, as the plan says or the evaluation found. Throws UserError `input` where they contradict. */
function systemsOf(given: readonly System[], found: readonly System[], system: System): readonly System[] {
  if (given.length === 0) return found;
  if (given.includes(system)) return SYSTEMS.filter((each) => given.includes(each));
  throw new UserError('input', `systems: ${given.join(', ')} does not have ${system}, for which this builds`, {
    hint: 'Give the field systems of the job in the matrix that plan makes, beside its field system.',
  });
}

/** Of a login that may read, and not write (distribution-spec, "Error codes"). */
const REFUSED = [401, 403];

/** On a person's machine naming a registry is the choice; on a runner the job's rights count too. */
async function modeOf(
  asked: HandoverChoice,
  to: Location | undefined,
  { job, host, places }: { readonly job: Job | undefined; readonly host: Host; readonly places: Places },
): Promise<HandoverMode> {
  if (!job) return to ? 'registry' : 'artifact';
  const hasCredentials = to !== undefined && (await places.hasCredentials(to));
  const { isFork, isMergeQueue } = job;
  const { mode, why } = chooseMode({ asked, hasDestination: to !== undefined, hasCredentials, isFork, isMergeQueue });
  host.log.info(`handover: ${mode} (${why})`);
  return mode;
}
