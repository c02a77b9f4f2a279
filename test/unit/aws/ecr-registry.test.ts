import { expect, it } from 'vitest';
import { parseEcrHost } from '../../../src/aws/ecr-registry.ts';

const ACCOUNT = '123456789012';

it.each([
  ['public.ecr.aws', { kind: 'public' }],
  ['public.ecr.aws:443', { kind: 'public' }],
  ['ecr-public.aws.com', { kind: 'public' }],
  [`${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com`, { region: 'us-east-1', isFips: false, isDualStack: false }],
  [
    `${ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com`,
    { region: 'us-gov-west-1', isFips: true, isDualStack: false },
  ],
  [`${ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn`, { region: 'cn-north-1', isFips: false, isDualStack: false }],
  [`${ACCOUNT}.dkr.ecr.us-iso-east-1.c2s.ic.gov`, { region: 'us-iso-east-1', isFips: false, isDualStack: false }],
  [`${ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu`, { region: 'eusc-de-east-1', isFips: false, isDualStack: false }],
  [`${ACCOUNT}.dkr-ecr.eu-west-1.on.aws`, { region: 'eu-west-1', isFips: false, isDualStack: true }],
  [`${ACCOUNT}.dkr-ecr-fips.us-west-2.on.aws`, { region: 'us-west-2', isFips: true, isDualStack: true }],
  [
    `${ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn`,
    { region: 'cn-north-1', isFips: false, isDualStack: true },
  ],
])('%s is a registry of AWS', (host, expected) => {
  const own = 'region' in expected ? { kind: 'private', account: ACCOUNT, ...expected } : expected;
  expect(parseEcrHost(host)).toEqual(own);
});

// A token of AWS's sent to one of these would be a token given away.
it.each([
  'ghcr.io',
  'public.ecr.aws.example.com',
  'notpublic.ecr.aws',
  `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com.example.com`,
  `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.example.com`,
  `x${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com`,
  `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com:5000`,
  '12345.dkr.ecr.us-east-1.amazonaws.com',
  `${ACCOUNT}.dkr.ecr.evil.example.us-east-1.amazonaws.com`,
])('%s is none', (host) => {
  expect(parseEcrHost(host)).toBeUndefined();
});
