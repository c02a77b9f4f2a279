import type { Partition } from './identities.ts';

/** Regions that are emulated, by partition; those of `OPT_IN` an account has to ask for. */
const REGIONS: Readonly<Record<Partition, readonly string[]>> = {
  aws: [
    ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1'],
    ...['eu-central-1', 'eu-west-1', 'eu-west-2', 'eu-west-3', 'eu-north-1'],
    ...['ap-northeast-1', 'ap-northeast-2', 'ap-south-1', 'ap-southeast-1', 'ap-southeast-2'],
    ...['af-south-1', 'ap-east-1', 'eu-south-1', 'me-central-1', 'me-south-1'],
  ],
  'aws-us-gov': ['us-gov-east-1', 'us-gov-west-1'],
  'aws-cn': ['cn-north-1', 'cn-northwest-1'],
  'aws-eusc': ['eusc-de-east-1'],
};

export const OPT_IN: readonly string[] = ['af-south-1', 'ap-east-1', 'eu-south-1', 'me-central-1', 'me-south-1'];

/** The account of the tests in each partition; no account is in two. */
export const ACCOUNTS: Readonly<Record<Partition, string>> = {
  aws: '123456789012',
  'aws-us-gov': '123456789013',
  'aws-cn': '123456789014',
  'aws-eusc': '123456789015',
};

/** Somebody else, to whom only what is public or shared is there. */
export const STRANGER = '999999999999';

export const regionsOf = (partition: Partition): readonly string[] => REGIONS[partition];

/** The partition of a region; undefined for a name that is none. */
export const partitionOf = (region: string): Partition | undefined =>
  (Object.keys(REGIONS) as Partition[]).find((partition) => REGIONS[partition].includes(region));
