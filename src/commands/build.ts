import { UserError } from '../core/error.ts';
import { parseCall } from '../handover/call.ts';
import { HANDOVER_CHOICES } from '../handover/mode.ts';
import { defineCommand } from '../host/command.ts';
import { choice, choices, flag, integer, lines, path, text } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { parseRegistryToLine } from '../publish/destination-line.ts';
import { type BuiltImages, buildEach } from './build-each.ts';
import { jobOf } from './github.ts';
import { testInputs } from './image-tests.ts';
import { installables } from './installables.ts';
import { noteLowerCase } from './naming.ts';
import { openNixFor } from './open-nix.ts';
import { placesOf } from './places.ts';
import { placingInputs } from './placing.ts';
import { presentBuild } from './present-build.ts';
import { repositoryInputs } from './repositories.ts';
import { nixInputs, registryInputs, reuseInputs, timingsInput } from './shared-inputs.ts';

/** What GitHub lets a repository choose at most (docs.github.com, "Configuring the retention period"). */
const MOST_RETENTION_DAYS = 400;

export const build = defineCommand({
  name: 'build',
  summary: 'Build images for one system and leave a handover of each for publish.',
  description:
    'Realises the image with Nix and makes its layers. The handover is an OCI layout: with `to`, the layers go to that ' +
    'registry and the handover is a few kilobytes; without it, they are in the handover.',
  inputs: {
    installable: lines({
      description:
        'The image, as `FLAKE#NAME`. Several are built together: what they share is made once, and each is handed over by itself; one that fails leaves the others.',
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
      description:
        'Folder for the handover; of several images it has one in it for each. Default: `handover/NAME-SYSTEM`.',
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
    attr: lines({
      description: 'Attribute of `file` that is the image; several are built together.',
      placeholder: 'ATTR',
      short: 'A',
    }),
    ...registryInputs,
    ...repositoryInputs,
    ...timingsInput,
  },
  outputs: {
    handover:
      'Folder, or name of the artifact, that holds the handover; of several images one per line, as all that follow but `system`.',
    handoverDigest: 'Digest of that artifact, for the input of the same name of `publish`.',
    name: 'Name of the image.',
    system: 'System it is built for.',
    digest: "Digest of the image's manifest.",
  },
  async run({ attr, ...inputs }, host): Promise<BuiltImages> {
    const given = attr.length > 1 ? attr : [attr[0]];
    const wanted =
      inputs.file === undefined
        ? installables(inputs.installable, undefined, attr[0])
        : given.flatMap((one) => installables(inputs.installable, inputs.file, one));
    if (wanted.length === 0) {
      throw new UserError('input', 'missing image', {
        hint: 'Write nix-images build FLAKE#NAME, for instance .#app.',
      });
    }
    noteLowerCase(inputs.to, host.log);
    const nix = await openNixFor(host, inputs);
    const places = await placesOf(host, inputs);
    return buildEach(wanted, inputs, { job: await jobOf(host), host, places, nix });
  },
  present: presentBuild,
});
