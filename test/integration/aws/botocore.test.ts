import { expect, it } from 'vitest';
import { differences, readBotocoreModel } from '../../emulators/aws/botocore.ts';
import { ECR, ECR_PUBLIC, type Service } from '../../emulators/aws/model.ts';
import { string, structure } from '../../emulators/aws/shapes.ts';

it.each([
  ['ecr', ECR],
  ['ecr-public', ECR_PUBLIC],
] as const)("the emulator's shapes of %s are those of botocore", async (name, service) => {
  expect(differences(service, await readBotocoreModel(name))).toEqual([]);
});

it('and the comparison sees what differs', async () => {
  const operations = {
    DescribeRepositories: {
      input: structure({ registryId: string({ pattern: /[0-9]{11}/ }), registry: string() }, ['registryId']),
      output: structure({ nextToken: { type: 'boolean' } }),
    },
    DescribeEverything: { input: structure({}), output: structure({}) },
  };
  const wrong: Service = { target: 'Other', signingName: 'ecr', operations };
  expect(differences(wrong, await readBotocoreModel('ecr'))).toEqual([
    expect.stringContaining('target Other'),
    'DescribeRepositories input: required registryId, not undefined',
    expect.stringContaining('registryId: pattern [0-9]{11}, not'),
    'DescribeRepositories input.registry: not in botocore',
    'DescribeRepositories output.nextToken: boolean, not string',
    'DescribeEverything: not in botocore',
  ]);
});
