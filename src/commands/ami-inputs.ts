import { UserError } from '../core/error.ts';
import type { InputsOf } from '../host/fields.ts';
import { choice, choices, flag, integer, lines, path, text } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { parseDiskLine } from './ami-disks.ts';
import { amiRole } from './ami-pointers.ts';
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
  upload: choice(['ebs-direct', 's3'], {
    description:
      'How a disk gets to the first region: by the EBS direct APIs, or, where the account or region has none, through a bucket of S3, whole.',
    default: 'ebs-direct',
  }),
  uploadBucket: text({
    description:
      'Bucket of the account in the first region, for `s3`; the disk is in it, below nix-images/, until EC2 has read it. Default: none.',
    placeholder: 'BUCKET',
    parse: parseBucket,
  }),
  importRole: text({
    description: 'Role of the account that EC2 reads the bucket by, for `s3`.',
    placeholder: 'NAME',
    default: 'vmimport',
  }),
  reuseFrom: lines({
    description:
      'Repository that the build jobs sent the chunks of what they handed over to, where they are not in the handover.',
    placeholder: 'REF',
    parse: parsePlace,
  }),
  ...registryInputs,
  ...amiRole,
} as const;

/** As S3 takes names (S3 user guide, "General purpose bucket naming rules"). */
function parseBucket(value: string): string {
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value)) return value;
  throw new UserError('input', `${JSON.stringify(value)} is not a valid name of a bucket`, {
    hint: 'It has 3 to 63 lower-case letters, digits, dots and dashes: write it without s3:// and without a path.',
  });
}

export type DeployAmiInputs = InputsOf<typeof deployAmiInputs>;
