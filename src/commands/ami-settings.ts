import { DAY } from '../ami/deprecation.ts';
import { parseAge } from '../core/age.ts';
import { UserError } from '../core/error.ts';
import { choice, flag, integer, lines, path, text } from '../host/fields.ts';
import { BOOT_MODES } from '../oci/disk-artifact.ts';

/** How AMIs are to be, and who may use them. */
export const amiInputs = {
  regions: lines({
    flag: 'region',
    description:
      'Region that must have the AMIs, all of them or none; the disks are uploaded to the first, and copied from there.',
    placeholder: 'REGION',
  }),
  bestEffortRegions: lines({
    flag: 'bestEffortRegion',
    description: 'Region that gets the AMIs too, and may fail without the others.',
    placeholder: 'REGION',
  }),
  name: text({
    description: 'Name of the AMIs; `{image}`, `{version}`, `{system}`, `{arch}` and `{content}` in it are replaced.',
    default: '{image}-{version}-{arch}-{content}',
  }),
  image: text({
    description:
      "What the image is called, in names and tags. Default: the last part of the repository's name, or of the file's.",
    placeholder: 'NAME',
  }),
  amiVersion: text({
    description:
      'Version, in names and tags. Default: the tag that the disk was named by, or that the run is for, else the commit.',
    placeholder: 'VERSION',
  }),
  description: text({
    description: 'Description of the AMIs, with the same names in braces.',
    default: '{image} {version} for {system}',
  }),
  parameters: lines({
    flag: 'parameter',
    description:
      'Parameter of Systems Manager that points to the AMI in each region, as a channel: `/images/{image}/{arch}/stable`. It moves when every region is ready.',
    placeholder: 'NAME',
  }),
  public: flag({ description: 'Let everybody use the AMIs.' }),
  shareWith: lines({
    description: 'Account (12 digits) that may use the AMIs, or ARN of an organization or an organizational unit.',
    placeholder: 'WHO',
    parse: parseReceiver,
  }),
  shareSnapshots: flag({
    description: 'Let who may use an AMI use its snapshots too, which is needed to copy it.',
    default: true,
  }),
  kmsKeys: lines({
    flag: 'kmsKey',
    description: 'Key that encrypts the AMI in a region, as `REGION=ARN`.',
    placeholder: 'REGION=ARN',
    parse: parseKey,
  }),
  deprecateAfter: text({
    description:
      'Age at which the AMIs are deprecated, such as `90d`; EC2 takes 10 years at most, 2 of what is public. Default: never.',
    placeholder: 'AGE',
    parse: parseDays,
  }),
  protection: choice(['off', 'on', 'with-cooldown'], {
    description: 'Whether AMIs that are published are protected from being deregistered.',
    default: 'off',
  }),
  bootMode: choice(BOOT_MODES, { description: 'How the AMIs boot. Default: what the disk says.' }),
  tpm: flag({ description: 'Give instances a TPM (NitroTPM 2.0); they must boot by `uefi`.' }),
  uefiData: path({
    description: "File with UEFI's variables for Secure Boot, in base64 as python-uefivars writes it.",
    placeholder: 'FILE',
  }),
  copyMinutes: integer({
    description:
      'Minutes that a copy to another region takes at most, for a price: 15 to 2880 in steps of 15. Default: as long as it takes.',
    placeholder: 'MINUTES',
    min: 15,
    max: 2880,
  }),
  accounts: lines({
    flag: 'account',
    description: 'Account that may be deployed to; any other is an error. Default: any.',
    placeholder: 'ACCOUNT',
  }),
  publicQuota: integer({ description: 'Public AMIs that the account may have in a region.', default: 5, min: 0 }),
  smokeTest: flag({
    description:
      'Start an instance of each AMI in the first region, and wait for it to come up, before anything else is made.',
  }),
  smokeTestMinutes: integer({
    description: 'Minutes until the instance of a smoke test must be up.',
    placeholder: 'MINUTES',
    default: 10,
    min: 1,
    max: 60,
  }),
  smokeTestMarker: text({
    description:
      "Text on the console that says that it is up. Default: a login prompt, or systemd's multi-user target.",
  }),
  smokeTestSubnet: text({
    description: "Subnet for the instance of a smoke test. Default: one of the account's default network.",
    placeholder: 'SUBNET',
  }),
} as const;

type Receiver = { readonly kind: 'accounts' | 'organizations' | 'units'; readonly value: string };

function parseReceiver(value: string): Receiver {
  if (/^\d{12}$/.test(value)) return { kind: 'accounts', value };
  if (/^arn:aws[a-z-]*:organizations::\d{12}:organization\//.test(value)) return { kind: 'organizations', value };
  if (/^arn:aws[a-z-]*:organizations::\d{12}:ou\//.test(value)) return { kind: 'units', value };
  throw new UserError('input', `${JSON.stringify(value)} is not an account, organization or organizational unit`, {
    hint: 'Write the 12 digits of an account, or the ARN of an organization or unit as AWS Organizations shows it.',
  });
}

interface RegionKey {
  readonly region: string;
  readonly key: string;
}

/** EBS takes keys by their ARN alone. */
function parseKey(value: string): RegionKey {
  const [, region, key, of] = /^([a-z0-9-]+)=(arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:key\/[\w-]+)$/.exec(value) ?? [];
  if (region !== undefined && key !== undefined && of === region) return { region, key };
  const what = of !== undefined && of !== region ? `the key of ${of} is not one of ${region}` : 'expected REGION=ARN';
  throw new UserError('input', `${JSON.stringify(value)} is not a valid key: ${what}`, {
    hint: 'Write it as eu-central-1=arn:aws:kms:eu-central-1:ACCOUNT:key/ID.',
  });
}

function parseDays(value: string): number {
  const days = parseAge(value) / DAY;
  if (Number.isInteger(days) && days > 0) return days;
  throw new UserError('input', `${JSON.stringify(value)} is not a number of days`, { hint: 'Write it as 90d or 12w.' });
}
