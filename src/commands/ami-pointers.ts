import { firstRegionBeside, regionsInUse } from '../ami/regions.ts';
import { parseParameterName, partitionOf } from '../ami/wanted.ts';
import type { Cloud } from '../aws/cloud.ts';
import { parseRole } from '../aws/role.ts';
import { lines, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';

/** The image that a command is about. */
export const amiImage = {
  image: text({
    description: 'The image, as its AMIs are tagged: `server`.',
    placeholder: 'IMAGE',
    positional: true,
    required: true,
  }),
} as const;

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

/** The region that is asked which there are: that of the environment, where it is in the partition of those that are named. */
export function homeRegion({ env }: Pick<Host, 'env'>, named: readonly string[]): string {
  const own = env('AWS_REGION') ?? env('AWS_DEFAULT_REGION');
  const like = named[0] ?? own ?? 'us-east-1';
  if (own !== undefined && partitionOf(own) === partitionOf(like)) return own;
  return firstRegionBeside(like) ?? like;
}

/** The regions that a command is about: those that are named, else all that the account uses. Throws UserError `input` as `regionsInUse` does. */
export async function chosenRegions(cloud: Cloud, home: string, named: readonly string[]): Promise<string[]> {
  const used = await regionsInUse(cloud, home, named);
  return named.length > 0 ? [...named] : used;
}
