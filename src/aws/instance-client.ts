import {
  EC2Client,
  GetConsoleOutputCommand,
  paginateDescribeInstances,
  paginateDescribeInstanceTypeOfferings,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { UserError } from '../core/error.ts';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import { tagsSchema } from './ec2-records.ts';
import type { AwsWorld } from './ecr-api.ts';
import type { InstanceApi, InstanceQuery, InstanceRecord, InstanceStart } from './instance-api.ts';
import { readAnswer } from './read-answer.ts';

const instanceSchema = z
  .object({
    InstanceId: z.string(),
    State: z.object({ Name: z.string() }),
    StateReason: z.object({ Code: z.string().optional(), Message: z.string().optional() }).optional(),
    Tags: tagsSchema,
  })
  .transform(
    ({ InstanceId, State, StateReason, Tags }): InstanceRecord => ({
      id: InstanceId,
      state: State.Name,
      reason: StateReason?.Message ?? StateReason?.Code,
      tags: Tags,
    }),
  );

// By filters and not by ids: one that is not known yet is an empty answer then.
function filterOf(query: InstanceQuery) {
  if ('id' in query) return { Name: 'instance-id', Values: [query.id] };
  if ('clientToken' in query) return { Name: 'client-token', Values: [query.clientToken] };
  return { Name: 'tag-key', Values: [query.tagged] };
}

/** An instance as EC2 is asked for it. */
export function launchInput({ imageId, type, clientToken, subnet, tags }: InstanceStart): RunInstancesCommandInput {
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  return {
    ImageId: imageId,
    InstanceType: type as NonNullable<RunInstancesCommandInput['InstanceType']>,
    ClientToken: clientToken,
    ...{ MinCount: 1, MaxCount: 1 },
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: { HttpEndpoint: 'enabled', HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    // Without this T instances cost more when they use more than their share.
    ...(type.startsWith('t') ? { CreditSpecification: { CpuCredits: 'standard' } } : {}),
    ...(subnet === undefined ? {} : { SubnetId: subnet }),
    TagSpecifications: (['instance', 'volume'] as const).map((ResourceType) => ({ ResourceType, Tags })),
  };
}

/** Instances of EC2 in one region (API version 2016-11-15). */
export function openInstances(world: AwsWorld, region: string): InstanceApi {
  const client = new EC2Client(clientSettings(world, 'EC2', region));
  const { signal } = world;
  const call = <T>(verb: string, what: string, work: () => Promise<T>): Promise<T> =>
    callCloud({ action: `ec2:${verb}`, what, region, signal }, work);
  return {
    offered: (types) =>
      call('DescribeInstanceTypeOfferings', 'cannot ask which types of instances there are', async () => {
        const Filters = [{ Name: 'instance-type', Values: [...types] }];
        const found = new Set<string>();
        for await (const page of paginateDescribeInstanceTypeOfferings({ client }, { LocationType: 'region', Filters }))
          for (const { InstanceType } of page.InstanceTypeOfferings ?? []) found.add(InstanceType ?? '');
        return types.filter((type) => found.has(type));
      }),
    start: (instance) => {
      const what = `cannot start a ${instance.type} from ${instance.imageId}`;
      return call('RunInstances', what, async () => {
        const { Instances = [] } = await client.send(new RunInstancesCommand(launchInput(instance)));
        const id = Instances[0]?.InstanceId;
        if (id !== undefined) return id;
        throw new UserError('aws', `${what}: the answer of AWS names no id`, { hint: 'Run again.' });
      });
    },
    instances: (query) =>
      call('DescribeInstances', 'cannot list instances', async () => {
        const found: unknown[] = [];
        for await (const page of paginateDescribeInstances({ client }, { Filters: [filterOf(query)] }))
          for (const { Instances = [] } of page.Reservations ?? []) found.push(...Instances);
        return readAnswer(z.array(instanceSchema), found, 'the list of instances');
      }),
    console: (InstanceId) =>
      call('GetConsoleOutput', `cannot read the console of ${InstanceId}`, async () => {
        // Without `Latest` there may be nothing for twenty minutes (canonical/pycloudlib 193, NixOS/amis 4).
        const { Output = '' } = await client.send(new GetConsoleOutputCommand({ InstanceId, Latest: true }));
        return Buffer.from(Output, 'base64').toString();
      }),
    terminate: async (id) => {
      await call('TerminateInstances', `cannot terminate ${id}`, () =>
        client.send(new TerminateInstancesCommand({ InstanceIds: [id] })),
      );
    },
  };
}
