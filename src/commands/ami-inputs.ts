import { parseRole } from '../aws/role.ts';
import type { InputsOf } from '../host/fields.ts';
import { choices, flag, integer, lines, path } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { parseDiskLine } from './ami-disks.ts';
import { amiInputs } from './ami-settings.ts';
import { parsePlace } from './naming.ts';
import { registryInputs } from './shared-inputs.ts';

/** Inputs of `deploy-ami`. */
export const deployAmiInputs = {
  disks: lines({
    description:
      'Disk to deploy: a published one, as `ghcr.io/org/server:v1` or `oci:DIR[:TAG]`, of all its systems; or a file, raw, VHD or qcow2, as ' +
      '`SYSTEM=FILE` or by its path. Default in a workflow: the disks that build jobs of the run handed over.',
    placeholder: 'DISK',
    positional: true,
    parse: parseDiskLine,
  }),
  from: lines({
    description: 'Folder of a handover, or one that holds several: the disks in it are deployed.',
    placeholder: 'DIR',
  }),
  system: choices(SYSTEMS, { description: 'System to deploy. Default: all that there are disks for.' }),
  ...amiInputs,
  dryRun: flag({ description: 'Show what exists and what would be made, with an estimate, and make nothing.' }),
  journal: path({
    description:
      'New file that takes down what is done, for `undo`. Default: `deploy-ami-TIME.jsonl`, in a workflow in its folder for temporary files and as an artifact of the run.',
    placeholder: 'FILE',
  }),
  undo: path({
    description: 'Journal of a deployment that ended half-way: take back what it has made, and do nothing else.',
    placeholder: 'JOURNAL',
  }),
  manifest: path({
    description:
      'File to write the manifest of the AMIs to, as JSON. In a workflow it is an artifact of the run in any case.',
    placeholder: 'FILE',
  }),
  state: path({
    description:
      'Folder that outlives the run: uploads that were cut off go on from it, and disks from files are sent as what differs from the one before. Default: none.',
    placeholder: 'DIR',
  }),
  patience: integer({
    description: 'Minutes that a snapshot or an AMI may take to become ready.',
    placeholder: 'MINUTES',
    default: 180,
    min: 1,
    max: 2880,
  }),
  reuseFrom: lines({
    description:
      'Repository that the build jobs sent the chunks of what they handed over to, where they are not in the handover.',
    placeholder: 'REF',
    parse: parsePlace,
  }),
  ...registryInputs,
  awsRole: lines({
    description:
      'Role of AWS that the job assumes, `arn:aws:iam::ACCOUNT:role/NAME`; of several, the one in the partition of the regions. The job needs `id-token: write`.',
    faces: 'action',
    parse: parseRole,
  }),
} as const;

export type DeployAmiInputs = InputsOf<typeof deployAmiInputs>;
