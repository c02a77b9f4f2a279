import { parseParameterName, partitionOf } from '../ami/wanted.ts';
import type { Cloud } from '../aws/cloud.ts';
import { parseRole } from '../aws/role.ts';
import { UserError } from '../core/error.ts';
import { lines } from '../host/fields.ts';
import type { Host } from '../host/host.ts';

/** Which parameters a command is about, and where. */
export const pointerInputs = {
  parameters: lines({
    flag: 'parameter',
    description: 'Parameter of Systems Manager, as deploy-ami names it: `/images/{image}/{arch}/stable`.',
    placeholder: 'NAME',
    required: true,
    parse: parseParameterName,
  }),
  regions: lines({
    flag: 'region',
    description: 'Region that is meant. Default: all that the account uses, and that have the AMIs or the parameters.',
    placeholder: 'REGION',
  }),
} as const;

/** The role of a command that is about AMIs alone. */
export const amiRole = {
  awsRole: lines({
    description:
      'Role of AWS that the job assumes, `arn:aws:iam::ACCOUNT:role/NAME`; of several, the one in the partition of the regions. The job needs `id-token: write`.',
    faces: 'action',
    parse: parseRole,
  }),
} as const;

/** Regions that every account of a partition has. */
const FIRST_REGIONS: Readonly<Record<string, string>> = {
  aws: 'us-east-1',
  'aws-us-gov': 'us-gov-west-1',
  'aws-cn': 'cn-north-1',
  'aws-eusc': 'eusc-de-east-1',
};

/** The region that is asked which there are: that of the environment, where it is in the partition of those that are named. */
export function homeRegion({ env }: Pick<Host, 'env'>, named: readonly string[]): string {
  const own = env('AWS_REGION') ?? env('AWS_DEFAULT_REGION');
  const partition = partitionOf(named[0] ?? own ?? 'us-east-1');
  if (own !== undefined && partitionOf(own) === partition) return own;
  return FIRST_REGIONS[partition] ?? named[0] ?? 'us-east-1';
}

/** Those that the account uses; of those that are named, all. Throws UserError `input` for one that there is not, or that the account does not use. */
export async function regionsInUse(cloud: Cloud, home: string, named: readonly string[]): Promise<string[]> {
  const known = await cloud.ec2(home).regions();
  const unknown = named.filter((region) => !known.some(({ name }) => name === region));
  if (unknown.length > 0)
    throw new UserError('input', `unknown region ${unknown.join(', ')}`, {
      hint: `AWS has ${known
        .map(({ name }) => name)
        .sort()
        .join(', ')}.`,
    });
  const off = known.filter(({ optIn }) => optIn === 'not-opted-in').map(({ name }) => name);
  const unused = named.filter((region) => off.includes(region));
  if (unused.length > 0)
    throw new UserError('input', `the account does not use ${unused.join(', ')}`, {
      hint: 'Leave the region out, or switch it on in the account settings.',
    });
  if (named.length > 0) return [...named];
  return known
    .map(({ name }) => name)
    .filter((name) => !off.includes(name))
    .sort();
}
