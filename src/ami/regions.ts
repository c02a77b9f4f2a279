import type { Cloud } from '../aws/cloud.ts';
import { UserError } from '../core/error.ts';
import { didYouMean } from '../core/nearest.ts';
import { partitionOf } from './wanted.ts';

/** Regions that each partition has had from its beginning on, and that every account uses. */
const FIRST_REGIONS: Readonly<Record<string, string>> = {
  aws: 'us-east-1',
  'aws-us-gov': 'us-gov-west-1',
  'aws-cn': 'cn-north-1',
  'aws-eusc': 'eusc-de-east-1',
};

/** The first region of the partition that a region is in; undefined where it is not known. */
export const firstRegionBeside = (region: string): string | undefined => FIRST_REGIONS[partitionOf(region)];

/**
 * The regions that the account uses, sorted, as one of them, `asked`, tells. Throws UserError `input` for one of `named` that does not exist, or that the
 * account does not use, unless it `mayFail`.
 */
export async function regionsInUse(
  cloud: Pick<Cloud, 'ec2'>,
  asked: string,
  named: readonly string[],
  mayFail: (region: string) => boolean = () => false,
): Promise<string[]> {
  const known = new Map((await cloud.ec2(asked).regions()).map(({ name, optIn }) => [name, optIn]));
  const unknown = named.filter((region) => !known.has(region));
  if (unknown.length > 0)
    throw new UserError('input', `unknown region ${unknown.join(', ')}`, {
      hint: `AWS has ${[...known.keys()].sort().join(', ')}.${didYouMean(unknown[0] ?? '', [...known.keys()])}`,
    });
  const isOff = (region: string): boolean => known.get(region) === 'not-opted-in';
  const off = named.filter((region) => isOff(region) && !mayFail(region));
  if (off.length > 0)
    throw new UserError('input', `the account does not use ${off.join(', ')}`, {
      hint: 'Leave the region out, or switch it on in the account settings; a deployment may name it as one that may fail.',
    });
  return [...known.keys()].filter((region) => !isOff(region)).sort();
}
